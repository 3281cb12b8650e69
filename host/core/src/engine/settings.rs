//! Schema and values of parameters as forms show them, and names of methods into instances.

use crate::RunError;
use crate::control::{MethodChoice, MethodView, Refusal, SettingView};
use tetherscope_loader::{Component, Kind, ParamSet, ParameterInfo, Registry, SettingsInfo, Value};

/// A value as JSON.
fn json(value: &Value) -> serde_json::Value {
    match value {
        Value::Int(v) => (*v).into(),
        Value::Float(v) => (*v).into(),
        Value::Bool(v) => (*v).into(),
        Value::Text(v) | Value::Choice(v) => v.as_str().into(),
    }
}

fn view(p: &ParameterInfo, value: &Value, writable: bool) -> SettingView {
    SettingView {
        key: p.key.clone(),
        kind: p.kind.name().to_owned(),
        help: p.help.clone(),
        unit: p.unit.clone(),
        min: p.min,
        max: p.max,
        step: p.step,
        choices: p.choices.clone(),
        level: p.level.clone(),
        change: p.change.clone(),
        invalidates: p.invalidates.clone(),
        default: json(&p.default),
        value: json(value),
        writable,
    }
}

/// Settings of a device.
pub(crate) fn settings_view(settings: &SettingsInfo) -> Vec<SettingView> {
    settings.settings.iter().map(|s| view(&s.parameter, &s.value, s.writable)).collect()
}

/// A method with its parameters.
pub(crate) fn method_view(component: &Component, params: &ParamSet) -> MethodView {
    let info = component.info();
    let parameters = params.iter().filter_map(|(key, value)| {
        let parameter = info.parameters.iter().find(|p| p.key == key)?;
        Some(view(parameter, value, true))
    });
    MethodView {
        method: info.id.clone(),
        version: info.version.to_string(),
        hash: component.hash().to_owned(),
        isolated: component.is_isolated(),
        parameters: parameters.collect(),
    }
}

/// The component and parameters that a choice means.
pub(crate) fn resolve(
    registry: &Registry,
    kind: Kind,
    choice: &MethodChoice,
) -> Result<(Component, ParamSet), Refusal> {
    let component = registry.resolve(kind, &choice.method).map_err(|e| Refusal::from(RunError::from(e)))?;
    let pairs = choice.parameters.iter().map(|(k, v)| (k.as_str(), v.as_str()));
    let params = component
        .params(pairs)
        .map_err(|e| Refusal { kind: crate::control::RefusalKind::Invalid, ..Refusal::from(RunError::from(e)) })?;
    Ok((component.clone(), params))
}
