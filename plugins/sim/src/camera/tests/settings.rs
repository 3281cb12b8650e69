//! Settings: which may change when, what they change, and what is refused.

use super::*;
use tetherscope_plugin_api::abi::STATUS_INVALID_ARGUMENT;

#[test]
fn live_settings_hold_from_the_next_frame_on() {
    let camera = open(&manual(), &[rate(100.0), ("tethered_z_sigma_nm", Value::Float(0.0))]);
    let sink = TestSink::new(&camera, 1, true);
    camera.start(sink.frames()).unwrap();
    camera.poll(PATIENT).unwrap();
    camera.poll(PATIENT).unwrap();
    let revision = camera.settings().unwrap().revision;
    camera.set(&values(&[rate(1000.0), ("tethered_z_nm", Value::Float(400.0))])).unwrap();
    assert!(camera.settings().unwrap().revision > revision);
    camera.poll(PATIENT).unwrap();
    camera.poll(PATIENT).unwrap();
    camera.stop().unwrap();
    sink.log(|l| {
        let times: Vec<i64> = l.frames.iter().map(|f| f.info.device_time_ticks).collect();
        assert_eq!(times, [0, 10 * MS, 20 * MS, 21 * MS]);
        let heights: Vec<f64> = l.frames.iter().map(|f| f.channels[6]).collect();
        assert_eq!(heights, [0.0, 0.0, 400.0, 400.0]);
    });
}

#[test]
fn what_cannot_change_while_it_runs_is_refused_by_name_and_can_after_a_stop() {
    let camera = open(&manual(), &[]);
    let sink = TestSink::new(&camera, 1, true);
    camera.start(sink.frames()).unwrap();
    for entry in entries() {
        let key = entry.parameter.key();
        let value = match setting(&camera, key) {
            Value::Int(v) => Value::Int(v + 1),
            Value::Float(v) => Value::Float(v * 0.98 + 0.005),
            Value::Bool(v) => Value::Bool(!v),
            Value::Text(_) => Value::Text("lost 3".into()),
            _ => Value::Choice("10".into()),
        };
        let before = setting(&camera, key);
        camera.set(&values(&[(key, before.clone())])).expect("the value that it has is no change");
        let outcome = camera.set(&values(&[(key, value.clone())]));
        if entry.change == Change::Live {
            outcome.unwrap_or_else(|e| panic!("`{key}` is live: {e}"));
            assert_eq!(setting(&camera, key), value);
        } else {
            let error = outcome.unwrap_err();
            assert_eq!(error.status(), STATUS_BUSY, "`{key}`");
            assert!(error.message().starts_with(&format!("`{key}` cannot change")), "{error}");
            assert_eq!(setting(&camera, key), before);
        }
    }
    camera.poll(PATIENT).unwrap();
    camera.stop().unwrap();
    camera.set(&values(&[("width_px", Value::Int(200)), ("n_tethered", Value::Int(2))])).unwrap();
    assert_eq!((camera.format().unwrap().width_px, camera.format().unwrap().n_channel_values), (200, 10));
    let lengths: Vec<u32> = camera.channels().unwrap().iter().map(|c| c.length).collect();
    assert_eq!(lengths, [1, 9]);
}

#[test]
fn wrong_settings_are_refused_and_change_nothing() {
    let camera = open(&manual(), &[]);
    let before = camera.settings().unwrap();
    for (changes, cause) in [
        (vec![("width_px", Value::Int(7))], "`width_px` is 7"),
        (vec![("bits", Value::Choice("9".into()))], "`bits` is `9`"),
        (vec![("n_fixed", Value::Int(900))], "cannot place 901 beads"),
        (vec![("numerical_aperture", Value::Float(1.4))], "it must be below index_medium"),
        (vec![rate(100.0), ("exposure_ms", Value::Float(10.5))], "a frame has 10 ms"),
        (vec![("margin_px", Value::Float(60.0))], "`margin_px` is 60"),
        (vec![("measured_frame_rate_hz", Value::Float(1.0))], "`measured_frame_rate_hz`"),
    ] {
        let error = camera.set(&values(&changes)).unwrap_err();
        assert_eq!(error.status(), STATUS_INVALID_ARGUMENT);
        assert!(error.message().contains(cause), "{error}");
    }
    let after = camera.settings().unwrap();
    assert_eq!(before.revision, after.revision);
    assert!(before.settings.iter().zip(&after.settings).all(|(a, b)| a.value == b.value));
    let too_many = try_open(&manual(), &[("n_fixed", Value::Int(900))]).err().unwrap();
    assert!(too_many.message().contains("fit into 160 x 120 px"), "{too_many}");
    let params = values(&[]);
    assert!(SimCamera::open(&manual(), "elsewhere", &params).is_err());
}

#[test]
fn every_depth_has_its_format_and_its_background() {
    for (bits, format, bytes_per_px) in
        [("8", PIXEL_MONO8, 1), ("10", PIXEL_MONO10, 2), ("12", PIXEL_MONO12, 2), ("16", PIXEL_MONO16, 2)]
    {
        let flat = [n_frames(1), ("bits", Value::Choice(bits.into())), ("n_fixed", Value::Int(0))];
        let camera = open(&manual(), &[&flat[..], &[("n_tethered", Value::Int(0))]].concat());
        let f = camera.format().unwrap();
        assert_eq!((f.pixel_format, f.significant_bits.to_string()), (format, bits.to_owned()));
        assert_eq!(f.payload_bytes, 160 * 120 * bytes_per_px);
        assert_eq!(f.n_channel_values, 1, "no beads: only the focus");
        let bytes = run_lossless(&camera).log(|l| l.frames[0].bytes.clone());
        let codes: Vec<f64> = match bytes_per_px {
            1 => bytes.iter().map(|&b| f64::from(b)).collect(),
            _ => bytes.as_chunks::<2>().0.iter().map(|&b| f64::from(u16::from_ne_bytes(b))).collect(),
        };
        let mean = codes.iter().sum::<f64>() / codes.len() as f64;
        let expected = 0.4 * f64::from((1u32 << f.significant_bits) - 1);
        // 19,200 pixels of 10,000 electrons: the mean to 1e-4 of itself.
        assert!((mean / expected - 1.0).abs() < 5e-4, "{bits} bits: {mean}, not {expected}");
    }
}
