//! A form made of a schema: number with unit, range and step, switch, choice, text. What the user types is kept until it is
//! accepted; a refusal stands at its field; what a device made of a value is shown when it differs from what was asked.

use crate::gui::theme;
use iced::widget::{button, column, container, pick_list, row, space, text, text_input, toggler, tooltip};
use iced::{Alignment, Element, Length};
use serde_json::Value;
use std::collections::BTreeMap;
use tetherscope_core::control::SettingView;

/// A form's own state; the values belong to whoever has them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Form {
    /// Typed and not yet accepted.
    drafts: BTreeMap<String, String>,
    /// Why a value was not taken.
    refused: BTreeMap<String, String>,
    /// Accepted, as it was asked for.
    asked: BTreeMap<String, String>,
    /// Expert parameters are shown.
    expert: bool,
}

/// What the user did.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum FormMessage {
    /// Changed the text of a field.
    Typed(String, String),
    /// Wants what was typed to hold.
    Submitted(String),
    /// Turned a switch.
    Switched(String, bool),
    /// Chose a word.
    Chosen(String, String),
    /// Up or down by this many steps.
    Stepped(String, i32),
    /// Back to the default.
    Reverted(String),
    /// Show expert parameters, or don't.
    Expert(bool),
}

/// A value that the form's owner shall set; the answer goes to [`Form::accepted`] or [`Form::refuse`].
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SetValue {
    /// Which.
    pub(crate) key: String,
    /// To what, as text.
    pub(crate) text: String,
}

/// A value as the user would type it.
pub(crate) fn value_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        // 10.0 is written 10.
        Value::Number(n) if n.is_f64() => n.as_f64().map_or_else(|| n.to_string(), |v| v.to_string()),
        other => other.to_string(),
    }
}

/// Whether a field takes a text; the error is one sentence.
fn check(field: &SettingView, text: &str) -> Result<Value, String> {
    let wrong = |what: &str| format!("must be {what}, not `{text}`");
    let value = match field.kind.as_str() {
        "int" => text.parse::<i64>().map(Value::from).map_err(|_| wrong("a whole number"))?,
        "float" => match text.parse::<f64>() {
            Ok(v) if v.is_finite() => Value::from(v),
            _ => return Err(wrong("a number")),
        },
        "bool" => text.parse::<bool>().map(Value::from).map_err(|_| wrong("true or false"))?,
        "choice" if !field.choices.iter().any(|c| c == text) => {
            return Err(wrong(&format!("one of {}", field.choices.join(", "))));
        }
        _ => Value::from(text),
    };
    if let Some(v) = value.as_f64() {
        let (min, max) = (field.min.unwrap_or(f64::NEG_INFINITY), field.max.unwrap_or(f64::INFINITY));
        if !(min..=max).contains(&v) {
            return Err(format!("{text} {} is not allowed; {} is", field.unit, range_text(field)).replace("  ", " "));
        }
    }
    Ok(value)
}

/// Values that mean the same: 10 and 10.0 do.
fn same(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

impl Form {
    /// Takes what the user did. A value that the schema refuses is told at its field and goes nowhere.
    pub(crate) fn update(&mut self, message: FormMessage, fields: &[SettingView]) -> Option<SetValue> {
        let find = |key: &str| fields.iter().find(|f| f.key == key);
        match message {
            FormMessage::Expert(shown) => {
                self.expert = shown;
                None
            }
            FormMessage::Typed(key, text) => {
                self.refused.remove(&key);
                self.drafts.insert(key, text);
                None
            }
            FormMessage::Submitted(key) => {
                let text = self.drafts.get(&key)?.trim().to_owned();
                self.set(find(&key)?, text)
            }
            FormMessage::Switched(key, on) => self.set(find(&key)?, on.to_string()),
            FormMessage::Chosen(key, word) => self.set(find(&key)?, word),
            FormMessage::Reverted(key) => {
                let field = find(&key)?;
                self.set(field, value_text(&field.default))
            }
            FormMessage::Stepped(key, steps) => {
                let field = find(&key)?;
                let text = stepped(field, self.drafts.get(&key), steps)?;
                self.set(field, text)
            }
        }
    }

    fn set(&mut self, field: &SettingView, text: String) -> Option<SetValue> {
        let key = field.key.clone();
        self.drafts.insert(key.clone(), text.clone());
        self.asked.remove(&key);
        match check(field, &text) {
            Ok(_) => {
                self.refused.remove(&key);
                Some(SetValue { key, text })
            }
            Err(why) => {
                self.refused.insert(key, why);
                None
            }
        }
    }

    /// A value was taken; the fields have what became of it.
    pub(crate) fn accepted(&mut self, key: &str) {
        if let Some(text) = self.drafts.remove(key) {
            self.asked.insert(key.to_owned(), text);
        }
        self.refused.remove(key);
    }

    /// A value was not taken; the field keeps what was typed.
    pub(crate) fn refuse(&mut self, key: &str, why: impl Into<String>) {
        self.refused.insert(key.to_owned(), why.into());
    }

    /// Why a field's value was not taken.
    pub(crate) fn refusal(&self, key: &str) -> Option<&str> {
        self.refused.get(key).map(String::as_str)
    }

    /// What was asked for, where the device made something else of it.
    pub(crate) fn differs(&self, field: &SettingView) -> Option<String> {
        let asked = self.asked.get(&field.key)?;
        let kept = check(field, asked).is_ok_and(|v| same(&v, &field.value));
        (!kept).then(|| format!("asked for {asked}, it is {}", value_text(&field.value)))
    }

    /// The form. While `running`, what only changes when idle can't be changed.
    pub(crate) fn view<'a>(&'a self, fields: &'a [SettingView], running: bool) -> Element<'a, FormMessage> {
        let is_expert = |f: &&SettingView| f.level == "expert";
        let n_expert = fields.iter().filter(is_expert).count();
        let shown = fields.iter().filter(|f| self.expert || !is_expert(f));
        let mut list = column(shown.map(|f| self.field(f, running))).spacing(8);
        if n_expert > 0 {
            let label = format!("show {n_expert} expert settings");
            list = list.push(toggler(self.expert).label(label).text_size(13).size(16).on_toggle(FormMessage::Expert));
        }
        if fields.is_empty() {
            list = list.push(text("no settings").size(13));
        }
        list.into()
    }

    fn field<'a>(&'a self, field: &'a SettingView, running: bool) -> Element<'a, FormMessage> {
        let p = field;
        let fixed = !field.writable || (running && p.change == "idle");
        let name = tooltip(
            text(words(&p.key, &p.unit)).size(14),
            container(text(format!("{}\n{}", p.help, p.key)).size(13)).padding(6).max_width(360).style(theme::panel),
            tooltip::Position::Top,
        );
        let mut marks = row![].spacing(4);
        for mark in marks_of(field, running) {
            marks = marks.push(text(mark).size(11).style(text::secondary));
        }
        let head = row![name, space().width(Length::Fill), marks].align_y(Alignment::Center);
        let mut lines = column![head, self.control(field, fixed)].spacing(2);
        if let Some(why) = self.refusal(&p.key) {
            lines = lines.push(text(why.to_owned()).size(12).style(text::danger));
        } else if let Some(differs) = self.differs(field) {
            lines = lines.push(text(differs).size(12).style(text::warning));
        }
        lines.into()
    }

    fn control<'a>(&'a self, field: &'a SettingView, fixed: bool) -> Element<'a, FormMessage> {
        let p = field;
        let key = || p.key.clone();
        let free = !fixed;
        let current = value_text(&field.value);
        let control: Element<'_, FormMessage> = match (p.kind.as_str(), &field.value) {
            ("bool", Value::Bool(on)) => {
                let key = key();
                toggler(*on)
                    .size(18)
                    .on_toggle_maybe(free.then_some(move |on| FormMessage::Switched(key.clone(), on)))
                    .into()
            }
            ("choice", _) if free => {
                let key = key();
                let list =
                    pick_list(p.choices.clone(), Some(current), move |word| FormMessage::Chosen(key.clone(), word));
                container(list.text_size(13).padding(4).width(Length::Fill)).id(input_id(&p.key)).into()
            }
            _ => {
                let draft = self.drafts.get(&p.key).cloned().unwrap_or(current);
                let typed = key();
                text_input(&range_text(p), &draft)
                    .id(input_id(&p.key))
                    .size(13)
                    .padding(4)
                    .on_input_maybe(free.then_some(move |t| FormMessage::Typed(typed.clone(), t)))
                    .on_submit(FormMessage::Submitted(key()))
                    .into()
            }
        };
        let mut line = row![control].spacing(4).align_y(Alignment::Center);
        let is_number = matches!(p.kind.as_str(), "int" | "float");
        if is_number && free && (p.step.is_some() || p.kind == "int") {
            let step = |label, steps| small(label).on_press(FormMessage::Stepped(key(), steps));
            line = line.push(step("−", -1)).push(step("+", 1));
        }
        if is_number {
            line = line.push(text(&p.unit).size(13).width(Length::Fixed(44.0)));
        }
        let is_default = same(&field.value, &p.default);
        if free && (self.drafts.contains_key(&p.key) && p.kind != "bool" && p.kind != "choice") {
            line = line.push(small("set").on_press(FormMessage::Submitted(key())));
        } else if free && !is_default {
            line = line.push(small("default").on_press(FormMessage::Reverted(key())));
        }
        line.into()
    }
}

/// The id of a field's input, for tests and focus.
pub(crate) fn input_id(key: &str) -> iced::widget::Id {
    iced::widget::Id::from(format!("field-{key}"))
}

fn small(label: &str) -> iced::widget::Button<'_, FormMessage> {
    button(text(label).size(12)).padding([2, 7]).style(theme::quiet)
}

/// When it may change, and what a change costs.
fn marks_of(field: &SettingView, running: bool) -> Vec<&'static str> {
    let p = field;
    let mut marks = Vec::new();
    if !field.writable {
        marks.push("read only");
    }
    match p.change.as_str() {
        "idle" if running => marks.push("stop to change"),
        "idle" => marks.push("only when stopped"),
        "rearm" => marks.push("restarts the camera"),
        _ => {}
    }
    if p.invalidates.iter().any(|i| i == "zlut") {
        marks.push("needs a new Z-LUT");
    }
    marks
}

/// `exposure_ms` as people read it; the unit stands behind the field.
fn words(key: &str, unit: &str) -> String {
    let bare = key.strip_suffix(&format!("_{}", unit.to_lowercase())).filter(|_| !unit.is_empty()).unwrap_or(key);
    let words = bare.replace('_', " ");
    words.strip_prefix("n ").map_or_else(|| words.clone(), |counted| format!("number of {counted}"))
}

/// What is allowed.
fn range_text(p: &SettingView) -> String {
    match (p.min, p.max) {
        (Some(min), Some(max)) => format!("{min} to {max}"),
        (Some(min), None) => format!("at least {min}"),
        (None, Some(max)) => format!("at most {max}"),
        (None, None) => String::new(),
    }
}

/// The value some steps away, kept in range and on the grid that starts at the smallest value.
fn stepped(field: &SettingView, draft: Option<&String>, steps: i32) -> Option<String> {
    let p = field;
    let from = draft.and_then(|d| check(p, d.trim()).ok()).unwrap_or_else(|| field.value.clone()).as_f64()?;
    let step = p.step.unwrap_or(1.0);
    let to = (from + f64::from(steps) * step).clamp(p.min.unwrap_or(f64::MIN), p.max.unwrap_or(f64::MAX));
    if p.kind == "int" {
        return Some((to.round() as i64).to_string());
    }
    // Without the noise of binary fractions: 0.1 + 0.2 is 0.3 to the user.
    let digits = (3.0 - step.abs().log10().floor()).clamp(0.0, 12.0) as usize;
    format!("{to:.digits$}").parse::<f64>().ok().map(|v| v.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exposure() -> Vec<SettingView> {
        vec![SettingView {
            key: "exposure_ms".into(),
            kind: "float".into(),
            help: "how long light is gathered".into(),
            unit: "ms".into(),
            min: Some(0.1),
            max: Some(100.0),
            step: Some(0.1),
            choices: Vec::new(),
            level: "basic".into(),
            change: "live".into(),
            invalidates: Vec::new(),
            default: 10.0.into(),
            value: 10.0.into(),
            writable: true,
        }]
    }

    fn typed(form: &mut Form, fields: &[SettingView], text: &str) -> Option<SetValue> {
        form.update(FormMessage::Typed("exposure_ms".into(), text.into()), fields);
        form.update(FormMessage::Submitted("exposure_ms".into()), fields)
    }

    #[test]
    fn a_value_out_of_range_is_refused_at_its_field_and_goes_nowhere() {
        let (mut form, fields) = (Form::default(), exposure());
        assert_eq!(typed(&mut form, &fields, "1000"), None);
        assert!(form.refusal("exposure_ms").unwrap().contains("0.1 to 100"));
        assert_eq!(typed(&mut form, &fields, "ten"), None);
        assert!(form.refusal("exposure_ms").unwrap().contains("ten"));
        let set = typed(&mut form, &fields, " 12.5 ").unwrap();
        assert_eq!(set, SetValue { key: "exposure_ms".into(), text: "12.5".into() });
        assert_eq!(form.refusal("exposure_ms"), None);
    }

    #[test]
    fn a_name_has_no_unit_and_a_count_says_so() {
        assert_eq!(words("exposure_ms", "ms"), "exposure");
        assert_eq!(words("frame_rate_hz", "Hz"), "frame rate");
        assert_eq!(words("nm_per_px", "nm/px"), "nm per px");
        assert_eq!(words("n_frames", ""), "number of frames");
        assert_eq!(words("name", ""), "name");
    }

    #[test]
    fn what_the_device_made_of_a_value_is_shown_when_it_differs() {
        let (mut form, mut fields) = (Form::default(), exposure());
        typed(&mut form, &fields, "12.5").unwrap();
        fields[0].value = 12.48.into();
        form.accepted("exposure_ms");
        assert_eq!(form.differs(&fields[0]).unwrap(), "asked for 12.5, it is 12.48");
        fields[0].value = 12.5.into();
        assert_eq!(form.differs(&fields[0]), None);
    }

    #[test]
    fn a_refusal_of_the_device_keeps_what_was_typed() {
        let (mut form, fields) = (Form::default(), exposure());
        typed(&mut form, &fields, "12.5").unwrap();
        form.refuse("exposure_ms", "the sensor is too warm");
        assert_eq!(form.refusal("exposure_ms"), Some("the sensor is too warm"));
        assert_eq!(form.drafts["exposure_ms"], "12.5");
        form.update(FormMessage::Typed("exposure_ms".into(), "11".into()), &fields);
        assert_eq!(form.refusal("exposure_ms"), None);
    }

    #[test]
    fn steps_stay_in_range_and_show_no_noise_of_binary_fractions() {
        let (mut form, mut fields) = (Form::default(), exposure());
        fields[0].value = 0.2.into();
        let mut step = |fields: &[SettingView], n| {
            let set = form.update(FormMessage::Stepped("exposure_ms".into(), n), fields).unwrap();
            form.accepted("exposure_ms");
            set.text
        };
        assert_eq!(step(&fields, 1), "0.3");
        assert_eq!(step(&fields, -5), "0.1");
        fields[0].value = 99.95.into();
        assert_eq!(step(&fields, 7), "100");
    }
}
