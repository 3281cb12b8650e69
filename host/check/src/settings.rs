//! Settings of cameras and stages: what is set is read back, and the revision tells of it. Values are changed a little,
//! one at a time, and put back, since a device under test may be a real one.

use crate::outcome::{Stop, Verdict, ensure};
use tetherscope_loader::{ParamType, PluginError, SettingInfo, SettingsInfo, Value, abi};

/// How far a device may round a value: a hundredth of it, or one step of its control.
const ROUNDING: f64 = 0.01;

fn text_of(value: &Value) -> String {
    match value {
        Value::Int(v) => v.to_string(),
        Value::Float(v) => v.to_string(),
        Value::Bool(v) => v.to_string(),
        Value::Text(v) | Value::Choice(v) => v.clone(),
    }
}

/// Another value inside the range, near the present one. None for free text, and where there is no other.
fn another(s: &SettingInfo) -> Option<Value> {
    let p = &s.parameter;
    let inside = |v: f64| v >= p.min.unwrap_or(f64::NEG_INFINITY) && v <= p.max.unwrap_or(f64::INFINITY);
    let either = |now: f64, by: f64| [now + by, now - by].into_iter().find(|v| inside(*v));
    match &s.value {
        Value::Int(v) => either(*v as f64, p.step.unwrap_or(1.0).max(1.0).round()).map(|v| Value::Int(v as i64)),
        Value::Float(v) => either(*v, p.step.unwrap_or(if *v == 0.0 { 1.0 } else { v.abs() / 8.0 })).map(Value::Float),
        Value::Bool(v) => Some(Value::Bool(!v)),
        Value::Choice(v) => p.choices.iter().find(|c| *c != v).map(|c| Value::Choice(c.clone())),
        Value::Text(_) => None,
    }
}

fn agree(s: &SettingInfo, wanted: &Value) -> bool {
    let near = |is: f64, wanted: f64| {
        let step = s.parameter.step.unwrap_or(0.0);
        (is - wanted).abs() <= (wanted.abs() * ROUNDING).max(step)
    };
    match (&s.value, wanted) {
        (Value::Int(is), Value::Int(v)) => s.parameter.step.is_some() && near(*is as f64, *v as f64) || is == v,
        (Value::Float(is), Value::Float(v)) => near(*is, *v),
        (is, v) => is == v,
    }
}

/// One change that a device took: the key, the settings before, the value that was wanted, the settings afterwards.
pub(crate) struct Change<'a> {
    pub(crate) key: &'a str,
    pub(crate) before: &'a SettingsInfo,
    pub(crate) wanted: &'a Value,
    pub(crate) after: &'a SettingsInfo,
}

/// Changes each writable setting, lets `look` look at it, and puts it back.
pub(crate) fn each_change(
    get: impl Fn() -> Result<SettingsInfo, PluginError>,
    set: impl Fn(&str, &str) -> Result<SettingsInfo, PluginError>,
    mut look: impl FnMut(&Change<'_>) -> Verdict,
) -> Verdict {
    let (mut changed, mut first_refusal) = (0, None);
    let keys: Vec<String> = get()?.settings.iter().filter(|s| s.writable).map(|s| s.parameter.key.clone()).collect();
    for key in &keys {
        let before = get()?;
        // What can be set may depend on other settings.
        let Some(now) = before.settings.iter().find(|s| s.parameter.key == *key && s.writable) else { continue };
        let Some(wanted) = another(now) else { continue };
        match set(key, &text_of(&wanted)) {
            Ok(after) => {
                changed += 1;
                look(&Change { key, before: &before, wanted: &wanted, after: &after })?;
                set(key, &text_of(&now.value))?;
            }
            Err(e) => {
                let polite = [abi::STATUS_INVALID_ARGUMENT, abi::STATUS_UNSUPPORTED, abi::STATUS_BUSY];
                ensure!(polite.contains(&e.status), "setting `{key}` fails: {}", e.message);
                first_refusal.get_or_insert(format!("`{key}`: {}", e.message.replace('\n', "; ")));
            }
        }
    }
    match first_refusal {
        _ if changed > 0 => Ok(()),
        None => Err(Stop::Skipped("it has no setting that can be changed".into())),
        Some(refused) => Err(Stop::Failed(format!("no setting can be changed, though some are writable; {refused}"))),
    }
}

/// The value read back is the one that was set, up to the device's rounding, and lies in its range.
pub(crate) fn read_back(c: &Change<'_>) -> Verdict {
    let Some(s) = c.after.settings.iter().find(|s| s.parameter.key == c.key) else {
        return Err(Stop::Failed(format!("`{}` has gone after it was set", c.key)));
    };
    ensure!(agree(s, c.wanted), "`{}` was set to {}, {} is read back", c.key, text_of(c.wanted), text_of(&s.value));
    let number = match (&s.value, s.parameter.kind) {
        (Value::Int(v), ParamType::Int) => *v as f64,
        (Value::Float(v), ParamType::Float) => *v,
        _ => return Ok(()),
    };
    let (min, max) = (s.parameter.min.unwrap_or(number), s.parameter.max.unwrap_or(number));
    ensure!(number >= min && number <= max, "`{}` reads {number}, its range is {min} to {max}", c.key);
    Ok(())
}

/// The revision rises with a change.
pub(crate) fn revision_rises(c: &Change<'_>) -> Verdict {
    let (before, after) = (c.before.revision, c.after.revision);
    ensure!(after > before, "after a change of `{}` the revision is {after}, before it was {before}", c.key);
    Ok(())
}
