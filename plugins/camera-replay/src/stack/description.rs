//! What the text in a TIFF says about the video: ImageJ's `key=value` lines, OME-XML, slice labels, and Micro-Manager's
//! frame records. Reads text alone; every value that makes no sense is left out instead of refused.

use crate::times::{Times, to_ns, unit_s};

/// Kind of an entry of ImageJ's metadata: the labels of the slices (`labl`).
const LABELS: u32 = 0x6c61_626c;

/// What the description of the first page says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Description {
    /// ImageJ: number of images, which may all lie behind the only page.
    pub imagej_images: Option<u64>,
    /// Times of the frames, if it says so.
    pub times: Times,
    /// Bits that carry the value, if it says so.
    pub significant_bits: Option<u32>,
}

/// Reads a description. `n_pages` are the pages that the file lists; if it is `cut_short`, the text may name more.
pub fn read(text: &str, n_pages: usize, cut_short: bool) -> Description {
    if text.starts_with("ImageJ=") {
        imagej(text)
    } else if text.contains("<OME") || text.contains("<ome:OME") || text.contains(":OME ") {
        ome(text, n_pages, cut_short)
    } else {
        Description::default()
    }
}

/// ImageJ's lines. The number of images is `images`, or the product of the axes where it is missing.
fn imagej(text: &str) -> Description {
    let value = |key: &str| text.lines().find_map(|l| l.trim().strip_prefix(key)?.strip_prefix('=')).map(str::trim);
    let count = |key: &str| value(key).and_then(|v| v.parse::<u64>().ok()).filter(|&n| n > 0);
    let axes = ["channels", "slices", "frames"].map(|key| count(key).unwrap_or(1));
    let product = axes.iter().try_fold(1_u64, |n, &axis| n.checked_mul(axis)).unwrap_or(1);
    let imagej_images = count("images").unwrap_or(product);
    // The interval is from one time point to the next: it is that of the images only along a single axis.
    let one_axis = axes.iter().filter(|&&n| n > 1).count() <= 1;
    let unit = value("tunit").map_or(Some(1.0), unit_s);
    let step_s = value("finterval").and_then(|v| v.parse::<f64>().ok()).zip(unit).map(|(v, unit)| v * unit);
    Description {
        imagej_images: Some(imagej_images),
        times: if one_axis { Times::even(step_s.unwrap_or(0.0)) } else { Times::Unknown },
        significant_bits: None,
    }
}

/// OME-XML: `DeltaT` of each plane, else the time increment, of a video with one channel and one z.
fn ome(text: &str, n_pages: usize, cut_short: bool) -> Description {
    let Some(pixels) = elements(text, "Pixels").next() else { return Description::default() };
    let number = |key: &str| attribute(pixels, key).and_then(|v| v.parse::<f64>().ok());
    let significant_bits = number("SignificantBits").filter(|b| (1.0..=16.0).contains(b)).map(|b| b as u32);
    let mut times = Times::Unknown;
    if number("SizeC").unwrap_or(1.0) <= 1.0 && number("SizeZ").unwrap_or(1.0) <= 1.0 {
        let unit = attribute(pixels, "TimeIncrementUnit").map_or(Some(1.0), unit_s);
        times = Times::even(number("TimeIncrement").zip(unit).map_or(0.0, |(v, unit)| v * unit));
        let mut each = plane_times(text);
        if cut_short {
            each.truncate(n_pages);
        }
        let each = Times::each(each, n_pages);
        if each.known() {
            times = each;
        }
    }
    Description { imagej_images: None, times, significant_bits }
}

/// `DeltaT` of the planes in the order of their `TheT`; empty when one of them has none.
fn plane_times(text: &str) -> Vec<i64> {
    let mut planes = Vec::new();
    for plane in elements(text, "Plane") {
        let unit = attribute(plane, "DeltaTUnit").map_or(Some(1.0), unit_s);
        let delta = attribute(plane, "DeltaT").and_then(|v| v.parse::<f64>().ok());
        let the_t = attribute(plane, "TheT").and_then(|v| v.parse::<u64>().ok());
        match (delta.zip(unit).and_then(|(v, unit)| to_ns(v * unit)), the_t) {
            (Some(ns), Some(t)) => planes.push((t, ns)),
            _ => return Vec::new(),
        }
    }
    planes.sort_unstable_by_key(|&(t, _)| t);
    planes.into_iter().map(|(_, ns)| ns).collect()
}

/// The insides of all start tags `<name …>`, with or without a namespace.
fn elements<'a>(xml: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    xml.split('<').filter_map(move |part| {
        let tag = &part[..part.find('>')?];
        let (tag_name, inside) = tag.split_once(|c: char| c.is_whitespace())?;
        (tag_name.rsplit(':').next() == Some(name)).then_some(inside)
    })
}

/// The value of an attribute inside a start tag.
fn attribute<'a>(inside: &'a str, key: &str) -> Option<&'a str> {
    let mut rest = inside;
    loop {
        let (before, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let (value, behind) = after[1..].split_once(quote)?;
        if before.trim() == key {
            return Some(value);
        }
        rest = behind;
    }
}

/// The time in a slice label in ns: the first number that is followed by a unit of time, as in `t = 0.25 s`.
pub fn label_time_ns(label: &str) -> Option<i64> {
    let words = label.split(|c: char| c.is_whitespace() || "=:;,()[]".contains(c)).filter(|w| !w.is_empty());
    let mut number_before = None;
    for word in words {
        let is_unit = |c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+'));
        let (digits, unit) = word.split_at(word.find(is_unit).unwrap_or(word.len()));
        let number = digits.parse::<f64>().ok();
        if unit.is_empty() {
            number_before = number;
            continue;
        }
        let value = if digits.is_empty() { number_before.take() } else { number };
        if let (Some(value), Some(unit)) = (value, unit_s(unit)) {
            return to_ns(value * unit);
        }
    }
    None
}

/// ImageJ's slice labels. The block begins with a table of (kind, number of entries); `counts` holds the length of that
/// table and of each entry in bytes. Labels are UTF-16 in the file's byte order. None when it makes no sense.
pub fn imagej_labels(data: &[u8], counts: &[u64], big_endian: bool) -> Option<Vec<String>> {
    let number = |b: &[u8; 4]| if big_endian { u32::from_be_bytes(*b) } else { u32::from_le_bytes(*b) };
    let unit = |b: &[u8; 2]| if big_endian { u16::from_be_bytes(*b) } else { u16::from_le_bytes(*b) };
    let (table_bytes, mut counts) = counts.split_first()?;
    let (table, mut data) = data.split_at_checked(usize::try_from(*table_bytes).ok()?)?;
    let words = table.as_chunks::<4>().0;
    // The first word is a mark (`IJIJ`), pairs follow.
    for pair in words.get(1..)?.as_chunks::<2>().0 {
        let n = number(&pair[1]) as usize;
        let (these, later) = counts.split_at_checked(n)?;
        counts = later;
        let is_label = number(&pair[0]) == LABELS;
        let mut labels = Vec::new();
        for &n_bytes in these {
            let (entry, rest) = data.split_at_checked(usize::try_from(n_bytes).ok()?)?;
            data = rest;
            if is_label {
                let units: Vec<u16> = entry.as_chunks::<2>().0.iter().map(unit).collect();
                labels.push(String::from_utf16_lossy(&units));
            }
        }
        if is_label {
            return Some(labels);
        }
    }
    None
}

/// `ElapsedTime-ms` in the record that Micro-Manager writes beside each page, in ns.
pub fn micro_manager_time_ns(json: &str) -> Option<i64> {
    let (_, after) = json.split_once("\"ElapsedTime-ms\"")?;
    let after = after.trim_start().strip_prefix(':')?.trim_start();
    let end = after.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | 'e' | 'E')))?;
    to_ns(after[..end].parse::<f64>().ok()? / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imagej_says_how_many_images_and_how_far_apart() {
        let d = read("ImageJ=1.53t\nimages=251\nframes=251\nfinterval=40.0\ntunit=ms\nloop=false\n", 1, false);
        assert_eq!((d.imagej_images, d.times), (Some(251), Times::even(0.04)));
        let d = read("ImageJ=1.53t\nchannels=2\nframes=5\nfinterval=0.5\n", 1, false);
        assert_eq!((d.imagej_images, d.times), (Some(10), Times::Unknown));
        assert_eq!(read("ImageJ=1.53t\nimages=0\nfinterval=nan\n", 1, false).imagej_images, Some(1));
    }

    #[test]
    fn ome_times_come_from_the_planes_in_their_order() {
        let xml = r#"<?xml version="1.0"?><OME xmlns="x"><Pixels SizeC="1" SizeZ="1" TimeIncrement="9" SignificantBits='12'>
            <Plane TheT="1" DeltaT="0.2"/><Plane DeltaT="100" DeltaTUnit="ms" TheT="0"/></Pixels></OME>"#;
        let d = read(xml, 2, false);
        assert_eq!(d.times, Times::Each(vec![100_000_000, 200_000_000]));
        assert_eq!(d.significant_bits, Some(12));
        assert_eq!(read(xml, 3, false).times, Times::even(9.0), "planes are missing: the increment holds");
    }

    #[test]
    fn broken_descriptions_say_nothing() {
        for text in ["", "<OME", "<OME><Pixels", "<OME><Pixels SizeC=>", "<OME ><Pixels SizeC='1", "hello"] {
            assert_eq!(read(text, 1, false).times, Times::Unknown, "{text}");
        }
    }

    #[test]
    fn labels_and_records_give_times() {
        assert_eq!(label_time_ns("t:3/100 - 0.25 s"), Some(250_000_000));
        assert_eq!(label_time_ns("frame 7 (12.5ms)"), Some(12_500_000));
        assert_eq!(label_time_ns("img_0001.tif"), None);
        assert_eq!(label_time_ns("7"), None);
        assert_eq!(micro_manager_time_ns(r#"{"Frame": 3, "ElapsedTime-ms": 33.5, "x": 1}"#), Some(33_500_000));
        assert_eq!(micro_manager_time_ns(r#"{"ElapsedTime-ms": "#), None);
    }
}
