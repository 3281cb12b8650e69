//! The parameters of the replay: their schema, their values, and which of them fit together and to the video.

use crate::times::Times;
use std::path::PathBuf;
use std::time::Duration;
use tetherscope_plugin_api::{Change, Error, Invalidates, ParamValues, Parameter, Result, Value};

/// How fast frames come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speed {
    /// As fast as they can be read and taken.
    Full,
    /// As fast as they were recorded.
    Recorded,
    /// At a rate that the user sets.
    Fixed,
}

impl Speed {
    /// The words of the schema.
    const NAMES: [&'static str; 3] = ["full", "recorded", "fixed"];

    fn from_name(name: &str) -> Self {
        match name {
            "recorded" => Speed::Recorded,
            "fixed" => Speed::Fixed,
            _ => Speed::Full,
        }
    }

    /// The word of the schema.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}

/// Values of all parameters but the path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// How fast frames come.
    pub speed: Speed,
    /// Frames per second at [`Speed::Fixed`].
    pub frame_rate_hz: f64,
    /// Frames per second when it was recorded; 0: as the file says.
    pub recorded_rate_hz: f64,
    /// Begins again at the end.
    pub repeat: bool,
    /// Bits of a pixel that carry the value; 0: as the file says.
    pub significant_bits: u32,
}

/// The schema.
pub fn schema() -> Vec<Parameter> {
    vec![
        Parameter::text(
            "path",
            "TIFF stack, or folder of numbered TIFF or PNG images (one per frame, img2 before img10), grey, 8 or 16 bits",
            "",
        )
        .change(Change::Rearm)
        .invalidates(&[Invalidates::Geometry]),
        Parameter::choice(
            "speed",
            "full: as fast as frames can be read; recorded: at the times in the file; fixed: at frame_rate_hz",
            &Speed::NAMES,
            "full",
        ),
        Parameter::float("frame_rate_hz", "Frames per second for the speed `fixed`", 100.0)
            .unit("Hz")
            .range(0.001, 1e6),
        Parameter::float(
            "recorded_rate_hz",
            "Frames per second at which the video was recorded, for files that do not say it or say it wrongly; \
             0 takes the times of the file",
            0.0,
        )
        .unit("Hz")
        .range(0.0, 1e6)
        .change(Change::Rearm),
        Parameter::bool("loop", "Begins again at the end, for rehearsals; off for measurements", false)
            .change(Change::Rearm),
        Parameter::int(
            "significant_bits",
            "Bits of a 16-bit pixel that carry the value (12 for most scientific cameras); 0 takes what the file says, \
             else all",
            0,
        )
        .range(0.0, 16.0)
        .expert()
        .change(Change::Rearm),
    ]
}

impl Options {
    /// Reads the values of `open`.
    pub fn from_values(values: &ParamValues) -> Result<Self> {
        let mut options = Self {
            speed: Speed::Full,
            frame_rate_hz: 100.0,
            recorded_rate_hz: 0.0,
            repeat: false,
            significant_bits: 0,
        };
        options.apply(values)?;
        Ok(options)
    }

    /// Takes over the values that were sent.
    pub fn apply(&mut self, values: &ParamValues) -> Result<()> {
        for (key, value) in values.iter() {
            match (key, value) {
                ("path", _) => {}
                ("speed", Value::Choice(name)) => self.speed = Speed::from_name(name),
                ("frame_rate_hz", Value::Float(v)) => self.frame_rate_hz = *v,
                ("recorded_rate_hz", Value::Float(v)) => self.recorded_rate_hz = *v,
                ("loop", Value::Bool(v)) => self.repeat = *v,
                ("significant_bits", Value::Int(v)) => self.significant_bits = u32::try_from(*v).unwrap_or(0),
                _ => return Err(Error::invalid(format!("`{key}` cannot be {value:?}"))),
            }
        }
        Ok(())
    }

    /// The value of a parameter of the schema but the path.
    pub fn value(&self, key: &str) -> Option<Value> {
        Some(match key {
            "speed" => Value::Choice(self.speed.name().into()),
            "frame_rate_hz" => Value::Float(self.frame_rate_hz),
            "recorded_rate_hz" => Value::Float(self.recorded_rate_hz),
            "loop" => Value::Bool(self.repeat),
            "significant_bits" => Value::Int(i64::from(self.significant_bits)),
            _ => return None,
        })
    }

    /// True when `other` differs in something that cannot change while the camera runs.
    pub fn needs_rearm(&self, other: &Options) -> bool {
        Options { speed: other.speed, frame_rate_hz: other.frame_rate_hz, ..*self } != *other
    }

    /// The times of the frames: the user's rate where there is one, else what the file says.
    pub fn times(&self, of_file: &Times) -> Times {
        if self.recorded_rate_hz > 0.0 { Times::even(1.0 / self.recorded_rate_hz) } else { of_file.clone() }
    }

    /// Checks the options against the video.
    pub fn check(&self, bits: u32, of_file: &Times) -> Result<()> {
        if self.speed == Speed::Recorded && !self.times(of_file).known() {
            return Err(Error::invalid(
                "the speed `recorded` needs the times of the frames, and the file has none\n\
                 set `recorded_rate_hz` to the rate at which it was recorded, or choose the speed `fixed` or `full`",
            ));
        }
        if self.significant_bits > bits {
            return Err(Error::invalid(format!(
                "`significant_bits` is {}, the pixels of the video have {bits}\nset it to 0 or to at most {bits}",
                self.significant_bits
            )));
        }
        Ok(())
    }

    /// How long frame `index` stands before the next is due; None at full speed.
    pub fn interval(&self, times: &Times, index: u64, n_frames: u64) -> Option<Duration> {
        match self.speed {
            Speed::Full => None,
            Speed::Fixed => Some(Duration::from_secs_f64(1.0 / self.frame_rate_hz)),
            Speed::Recorded => times.step(index, n_frames),
        }
    }
}

/// The path of a video: the parameter, or the text for `open`; both only if they are the same.
pub fn path(device: &str, values: &ParamValues) -> Result<PathBuf> {
    let parameter = values.text("path")?;
    match (device.trim(), parameter.trim()) {
        ("", "") => Err(Error::invalid(
            "no video is named\nset `path` to a TIFF file or to a folder of images, or give it as the device",
        )),
        ("", path) | (path, "") => Ok(path.into()),
        (a, b) if a == b => Ok(a.into()),
        (a, b) => Err(Error::invalid(format!("the device is {a}, but `path` is {b}\ngive only one of them"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_of_the_schema_are_those_of_the_options() {
        let options = Options::from_values(&ParamValues::defaults(&schema())).unwrap();
        for parameter in schema().iter().filter(|p| p.key() != "path") {
            assert_eq!(options.value(parameter.key()).as_ref(), Some(parameter.default_value()));
            parameter.check(parameter.default_value()).unwrap();
        }
    }

    #[test]
    fn recorded_speed_without_times_names_the_mend() {
        let mut options = Options::from_values(&ParamValues::default()).unwrap();
        options.speed = Speed::Recorded;
        let text = options.check(8, &Times::Unknown).unwrap_err().message().to_owned();
        assert!(text.contains("recorded_rate_hz"), "{text}");
        options.recorded_rate_hz = 50.0;
        options.check(8, &Times::Unknown).unwrap();
        assert_eq!(options.interval(&options.times(&Times::Unknown), 3, 9), Some(Duration::from_millis(20)));
    }

    #[test]
    fn device_and_path_must_not_contradict_each_other() {
        let mut values = ParamValues::defaults(&schema());
        assert!(path("", &values).unwrap_err().message().contains("`path`"));
        assert_eq!(path("a.tif", &values).unwrap(), PathBuf::from("a.tif"));
        values.set("path", Value::Text("b.tif".into()));
        assert_eq!(path("", &values).unwrap(), PathBuf::from("b.tif"));
        assert!(path("a.tif", &values).is_err());
    }

    #[test]
    fn speed_and_rate_change_live_and_the_rest_does_not() {
        let before = Options::from_values(&ParamValues::default()).unwrap();
        assert!(!before.needs_rearm(&Options { speed: Speed::Fixed, frame_rate_hz: 7.0, ..before }));
        assert!(before.needs_rearm(&Options { repeat: true, ..before }));
    }
}
