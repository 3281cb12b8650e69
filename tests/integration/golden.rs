//! Reads the golden numbers of `tests/golden`: manifest, arrays, tolerances.
//!
//! This module knows no kernel and no plugin: `golden_kernels`, `golden_optics` and `golden_plugins` run the checks
//! and share this reader. Arrays are turned image axis first while they are read. A broken manifest or file panics,
//! naming the file: the golden set is part of the repository.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;

use ndarray::{Array1, Array2, Array3, ArrayD, Axis, Dimension, Ix1, Ix2, Ix3};
use ndarray_npy::ReadNpyExt;
use serde_json::Value;

/// The whole golden set.
pub struct Golden {
    pub cases: Vec<Case>,
}

/// One case: a stack of images with its inputs and the checks on them.
pub struct Case {
    /// For example `p01_u8_64_typical`.
    pub name: String,
    /// Width and height of every image.
    pub size_px: usize,
    /// Number of images of the input `stack`.
    pub n_frames: usize,
    pub checks: Vec<Check>,
    inputs: BTreeMap<String, Value>,
}

/// One call of a MagTrack function and what came out.
pub struct Check {
    /// Unique over the set, for example `p01_u8_64_typical/auto_conv_00`.
    pub id: String,
    /// Name of the MagTrack function.
    pub function: String,
    /// Accidental behaviour of MagTrack: a better program may differ, and says so in docs/magtrack-deviations.md.
    pub quirk: bool,
    /// The exception that MagTrack raised instead of answering.
    pub raises: Option<String>,
    /// Empty when `raises` is set.
    pub outputs: Vec<Output>,
    /// Frames whose number is decided by rounding noise: not compared.
    pub unspecified_frames: Vec<usize>,
    /// Frames with a NaN centre: their profile is a platform-dependent cast.
    pub nan_centre_frames: Vec<usize>,
    args: BTreeMap<String, Value>,
}

/// One output array of a check.
pub struct Output {
    /// For example `x`, `profiles`, `col_con`.
    pub name: String,
    /// Which axis of the file counts frames.
    pub frame_axis: Option<usize>,
    /// Largest allowed absolute difference; 0 means equal.
    pub atol: f64,
    file: String,
    dtype: String,
    shape: Vec<usize>,
}

/// A stack of images, image axis first: `[image, y, x]`.
pub enum Images {
    U8(Array3<u8>),
    U16(Array3<u16>),
    F32(Array3<f32>),
    F64(Array3<f64>),
}

impl Golden {
    /// Reads the manifest (not yet the arrays).
    pub fn load() -> Golden {
        let text = std::fs::read_to_string(root().join("manifest.json")).expect("tests/golden/manifest.json is there");
        let manifest: Value = serde_json::from_str(&text).expect("tests/golden/manifest.json is JSON");
        Golden { cases: list(&manifest, "cases").iter().map(Case::new).collect() }
    }

    /// Every check with its case, in the order of the manifest.
    pub fn checks(&self) -> impl Iterator<Item = (&Case, &Check)> {
        self.cases.iter().flat_map(|case| case.checks.iter().map(move |check| (case, check)))
    }
}

impl Case {
    fn new(value: &Value) -> Case {
        Case {
            name: text(value, "name"),
            size_px: number(value, "size_px"),
            n_frames: number(value, "n_frames"),
            checks: list(value, "checks").iter().map(Check::new).collect(),
            inputs: map(&value["inputs"]),
        }
    }

    /// The check with this number-bearing name, for example `auto_conv_00`.
    pub fn check(&self, name: &str) -> &Check {
        let id = format!("{}/{name}", self.name);
        self.checks.iter().find(|check| check.id == id).unwrap_or_else(|| panic!("the golden set has no check {id}"))
    }

    /// An input as f64, axes as in the file.
    pub fn array(&self, name: &str) -> ArrayD<f64> {
        let spec = self.spec(name);
        if let Some(other) = spec.get("cast_of") {
            return self.array(other.as_str().expect("cast_of is a name"));
        }
        if let Some(other) = spec.get("first_frames_of") {
            let n = number(spec, "n");
            let whole = self.array(other.as_str().expect("first_frames_of is a name"));
            return whole.slice_axis(Axis(whole.ndim() - 1), (0..n).into()).to_owned();
        }
        let array = read_f64(&text(spec, "file"), &text(spec, "dtype"));
        assert_eq!(array.shape(), shape(spec), "{}/{name}: shape of file and manifest", self.name);
        array
    }

    /// An input of one axis.
    pub fn array1(&self, name: &str) -> Array1<f64> {
        self.array(name).into_dimensionality::<Ix1>().unwrap_or_else(|_| panic!("{}/{name} has one axis", self.name))
    }

    /// An input of two axes, as in the file: `zlut[0 = z values, 1.. = bins, plane]`, `profiles[bin, image]`.
    pub fn array2(&self, name: &str) -> Array2<f64> {
        self.array(name).into_dimensionality::<Ix2>().unwrap_or_else(|_| panic!("{}/{name} has two axes", self.name))
    }

    /// A stack in its own pixel type, turned image axis first.
    pub fn images(&self, name: &str) -> Images {
        let array = self.array(name).into_dimensionality::<Ix3>();
        let array = array.unwrap_or_else(|_| panic!("{}/{name} is a stack", self.name));
        let first = array.permuted_axes([2, 0, 1]).as_standard_layout().into_owned();
        match text(self.spec(name), "dtype").as_str() {
            "uint8" => Images::U8(first.mapv(|v| v as u8)),
            "uint16" => Images::U16(first.mapv(|v| v as u16)),
            "float32" => Images::F32(first.mapv(|v| v as f32)),
            "float64" => Images::F64(first),
            other => panic!("{}/{name}: no pixel type {other}", self.name),
        }
    }

    /// The argument of a check that names a one-axis input.
    pub fn arg1(&self, check: &Check, name: &str) -> Array1<f64> {
        self.array1(check.input(name))
    }

    /// The argument of a check that names a two-axis input.
    pub fn arg2(&self, check: &Check, name: &str) -> Array2<f64> {
        self.array2(check.input(name))
    }

    /// The argument of a check that names a stack.
    pub fn arg_images(&self, check: &Check, name: &str) -> Images {
        self.images(check.input(name))
    }

    fn spec(&self, name: &str) -> &Value {
        self.inputs.get(name).unwrap_or_else(|| panic!("{} has no input {name}", self.name))
    }
}

impl Check {
    fn new(value: &Value) -> Check {
        let frames = |key| value.get(key).map_or(Vec::new(), |v: &Value| indices(v));
        Check {
            id: text(value, "id"),
            function: text(value, "function"),
            quirk: value.get("quirk").is_some_and(|v| v == true),
            raises: value.get("raises").map(|v| v.as_str().expect("raises is a name").to_owned()),
            outputs: value
                .get("outputs")
                .map_or(Vec::new(), |_| list(value, "outputs").iter().map(Output::new).collect()),
            unspecified_frames: frames("unspecified_frames"),
            nan_centre_frames: frames("nan_centre_frames"),
            args: map(&value["args"]),
        }
    }

    /// A literal argument, `None` when the call left it at MagTrack's default.
    pub fn arg(&self, name: &str) -> Option<&Value> {
        self.args.get(name)
    }

    /// A literal number, or MagTrack's default when the call left it out.
    pub fn number_or(&self, name: &str, default: f64) -> f64 {
        self.arg(name).map_or(default, |v| v.as_f64().unwrap_or_else(|| panic!("{}: {name} is a number", self.id)))
    }

    /// The name of the input that an argument stands for.
    pub fn input(&self, name: &str) -> &str {
        let value = self.arg(name).and_then(Value::as_str);
        value.unwrap_or_else(|| panic!("{}: argument {name} names an input", self.id))
    }

    /// The output of this name.
    pub fn output(&self, name: &str) -> &Output {
        let found = self.outputs.iter().find(|output| output.name == name);
        found.unwrap_or_else(|| panic!("{} has no output {name}", self.id))
    }
}

impl Output {
    fn new(value: &Value) -> Output {
        let tolerance = &value["tolerance"];
        Output {
            name: text(value, "name"),
            frame_axis: value["frame_axis"].as_u64().map(|axis| axis as usize),
            atol: if tolerance.get("exact").is_some() {
                0.0
            } else {
                tolerance["atol"].as_f64().expect("atol is a number")
            },
            file: text(value, "file"),
            dtype: text(value, "dtype"),
            shape: shape(value),
        }
    }

    /// The golden numbers as f64, axes as in the file.
    pub fn expected(&self) -> ArrayD<f64> {
        let array = read_f64(&self.file, &self.dtype);
        assert_eq!(array.shape(), self.shape, "{}: shape of file and manifest", self.file);
        array
    }

    /// Compares every number with the golden one, but not the frames of `skip`: the largest difference, or what is wrong.
    /// `got` has the axes of the file. NaN must stand where NaN stands.
    pub fn compare(&self, got: &ArrayD<f64>, skip: &[usize]) -> Result<f64, String> {
        let expected = self.expected();
        if got.shape() != expected.shape() {
            return Err(format!("{}: shape {:?}, golden {:?}", self.name, got.shape(), expected.shape()));
        }
        let mut largest = 0.0f64;
        for ((index, &want), &have) in expected.indexed_iter().zip(got.iter()) {
            if self.frame_axis.is_some_and(|axis| skip.contains(&index[axis])) {
                continue;
            }
            let difference = if want.is_nan() && have.is_nan() || want == have { 0.0 } else { (want - have).abs() };
            if difference.is_nan() || difference > self.atol {
                return Err(format!("{}{:?}: {have}, golden {want}, atol {:e}", self.name, index.slice(), self.atol));
            }
            largest = largest.max(difference);
        }
        Ok(largest)
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden")
}

fn read_f64(file: &str, dtype: &str) -> ArrayD<f64> {
    let open = || File::open(root().join(file)).unwrap_or_else(|error| panic!("tests/golden/{file}: {error}"));
    fn read<T: ndarray_npy::ReadableElement>(open: File, file: &str) -> ArrayD<T> {
        ArrayD::<T>::read_npy(std::io::BufReader::new(open))
            .unwrap_or_else(|error| panic!("tests/golden/{file}: {error}"))
    }
    match dtype {
        "uint8" => read::<u8>(open(), file).mapv(f64::from),
        "uint16" => read::<u16>(open(), file).mapv(f64::from),
        "int64" => read::<i64>(open(), file).mapv(|v| v as f64),
        "float32" => read::<f32>(open(), file).mapv(f64::from),
        "float64" => read::<f64>(open(), file),
        other => panic!("tests/golden/{file}: no reader for {other}"),
    }
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_else(|| panic!("manifest: {key} is a text")).to_owned()
}

fn number(value: &Value, key: &str) -> usize {
    value[key].as_u64().unwrap_or_else(|| panic!("manifest: {key} is a count")) as usize
}

fn list<'a>(value: &'a Value, key: &str) -> &'a Vec<Value> {
    value[key].as_array().unwrap_or_else(|| panic!("manifest: {key} is a list"))
}

fn map(value: &Value) -> BTreeMap<String, Value> {
    let object = value.as_object().expect("manifest: inputs and args are objects");
    object.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn indices(value: &Value) -> Vec<usize> {
    let values = value.as_array().expect("manifest: a list of numbers");
    values.iter().map(|v| v.as_u64().expect("manifest: a list of counts") as usize).collect()
}

fn shape(value: &Value) -> Vec<usize> {
    indices(&value["shape"])
}

#[test]
fn every_golden_array_has_the_shape_of_the_manifest() {
    let golden = Golden::load();
    let mut n_arrays = 0;
    for case in &golden.cases {
        for name in case.inputs.keys() {
            case.array(name);
            n_arrays += 1;
        }
        n_arrays += case.checks.iter().flat_map(|check| &check.outputs).map(Output::expected).count();
    }
    assert_eq!(golden.cases.len(), 8);
    assert_eq!(golden.checks().count(), 485);
    assert_eq!(n_arrays, 963);
}

#[test]
fn a_golden_comparison_sees_a_wrong_number_a_wrong_nan_and_a_wrong_shape() {
    let golden = Golden::load();
    let output = golden.cases[0].check("center_of_mass_00").output("x");
    let right = output.expected();
    assert_eq!(output.compare(&right, &[]), Ok(0.0));
    for wrong in [right[0] + 1e-6, f64::NAN] {
        let mut got = right.clone();
        got[0] = wrong;
        assert!(output.compare(&got, &[]).is_err());
        assert_eq!(output.compare(&got, &[0]), Ok(0.0), "frame 0 is skipped");
    }
    let short = right.slice_axis(Axis(0), (0..3).into()).to_owned();
    assert!(output.compare(&short, &[]).is_err());
}
