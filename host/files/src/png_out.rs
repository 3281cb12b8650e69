//! A picture for people: 8 bits per channel, red, green and blue. Not for measurements; those are TIFF stacks.

use crate::error::{FileError, Result};
use crate::new_file::write_bytes;
use std::path::Path;

/// Writes a picture to a new PNG file. `rgb` has three bytes per pixel, row by row.
///
/// Fails when the file exists, when its folder does not, and when `rgb` has another length than
/// 3 × `width_px` × `height_px`, or none.
pub fn write_png(path: impl AsRef<Path>, width_px: u32, height_px: u32, rgb: &[u8]) -> Result<()> {
    let path = path.as_ref();
    let wanted = 3 * width_px as usize * height_px as usize;
    if rgb.len() != wanted || wanted == 0 {
        return Err(FileError::invalid(
            path,
            format!("a picture of {width_px} × {height_px} px has {wanted} bytes, {} were given", rgb.len()),
            "give three bytes for each pixel of at least one",
        ));
    }
    let unwritable = |e: png::EncodingError| FileError::invalid(path, e.to_string(), "make the picture smaller");
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width_px, height_px);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().map_err(unwritable)?;
    writer.write_image_data(rgb).map_err(unwritable)?;
    writer.finish().map_err(unwritable)?;
    write_bytes(path, &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn a_picture_reads_back_as_it_was_written_and_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        let rgb: Vec<u8> = (0..3 * 7 * 5).collect();
        write_png(&path, 7, 5, &rgb).unwrap();
        let file = std::io::BufReader::new(std::fs::File::open(&path).unwrap());
        let mut reader = png::Decoder::new(file).read_info().unwrap();
        let mut back = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut back).unwrap();
        assert_eq!((info.width, info.height, info.color_type), (7, 5, png::ColorType::Rgb));
        assert_eq!(back, rgb);
        assert_eq!(write_png(&path, 7, 5, &rgb).unwrap_err().kind(), ErrorKind::AlreadyExists);
    }

    #[test]
    fn a_picture_with_missing_pixels_is_refused_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        for (width, height, n) in [(7, 5, 104), (7, 5, 106), (0, 5, 0)] {
            let error = write_png(folder.path().join("a.png"), width, height, &vec![0; n]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidValue);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
