//! One grey PNG file as an image. Refuses colour, transparency and other depths than 8 and 16 bits, with the mend.

use crate::fault::Fault;
use crate::shape::{Shape, swap_bytes};
use png::{BitDepth, ColorType, Decoder, DecodingError, Limits, Reader};
use std::fs::File;
use std::io::BufReader;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Memory that the decoder may take beside the image; rows and side data of real images need far less.
const DECODER_BYTES: usize = 64 << 20;
/// The mend of pixels that are no grey of 8 or 16 bits.
const MAKE_GREY: &str =
    "convert it to grey without transparency, 8 or 16 bits (ImageMagick: -colorspace Gray -alpha off)";

/// Size and type of the image, from its header.
pub fn shape(path: &Path) -> Result<Shape, Fault> {
    guarded(|| open(path).map(|(_, shape)| shape))
}

/// Reads the image into `out`: rows without gaps, 16-bit pixels in the machine's byte order.
pub fn read(path: &Path, wanted: &Shape, out: &mut [u8]) -> Result<(), Fault> {
    guarded(|| {
        let (mut reader, shape) = open(path)?;
        wanted.must_equal(&shape, "it")?;
        reader.next_frame(out).map_err(fault)?;
        if shape.bits == 16 && cfg!(target_endian = "little") {
            swap_bytes(out);
        }
        Ok(())
    })
}

/// Opens a file and reads its header.
fn open(path: &Path) -> Result<(Reader<BufReader<File>>, Shape), Fault> {
    let file = File::open(path).map_err(|e| Fault::io("it cannot be opened", &e))?;
    let decoder = Decoder::new_with_limits(BufReader::new(file), Limits { bytes: DECODER_BYTES });
    let reader = decoder.read_info().map_err(fault)?;
    let info = reader.info();
    let bits = match info.bit_depth {
        BitDepth::Eight => 8,
        BitDepth::Sixteen => 16,
        other => return Err(Fault::refused(format!("its pixels have {} bits", other as u8), MAKE_GREY)),
    };
    match info.color_type {
        ColorType::Grayscale => {}
        ColorType::GrayscaleAlpha => return Err(Fault::refused("its pixels have transparency", MAKE_GREY)),
        ColorType::Rgb | ColorType::Rgba | ColorType::Indexed => {
            return Err(Fault::refused("its pixels are coloured", MAKE_GREY));
        }
    }
    let shape = Shape::new(info.width, info.height, bits)?;
    Ok((reader, shape))
}

/// The decoder's error in our words.
fn fault(e: DecodingError) -> Fault {
    match e {
        DecodingError::IoError(e) => Fault::io("it cannot be read", &e),
        other => Fault::damaged(format!("it cannot be unpacked: {other}")),
    }
}

/// A panic of the decoder over a stranger's file becomes an error.
fn guarded<T>(f: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|payload| {
        // Dropping a payload can panic again.
        std::mem::forget(payload);
        Err(Fault::damaged("its packed pixels are scrambled"))
    })
}
