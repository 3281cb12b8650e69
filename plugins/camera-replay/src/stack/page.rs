//! What the tags of a page mean: its shape, where its pixels lie and how they are packed. Refuses what is not grey with
//! 8 or 16 bits, with the mend; reads no pixels.

use super::bytes::Bytes;
use super::ifd::Ifd;
use crate::fault::Fault;
use crate::shape::Shape;

/// Tag: bit 0 marks a smaller copy of another page, bit 2 a mask.
const NEW_SUBFILE_TYPE: u16 = 254;
const IMAGE_WIDTH: u16 = 256;
const IMAGE_LENGTH: u16 = 257;
const BITS_PER_SAMPLE: u16 = 258;
const COMPRESSION: u16 = 259;
const PHOTOMETRIC: u16 = 262;
const FILL_ORDER: u16 = 266;
/// Tag: text about the image.
pub const DESCRIPTION: u16 = 270;
const STRIP_OFFSETS: u16 = 273;
const SAMPLES_PER_PIXEL: u16 = 277;
const ROWS_PER_STRIP: u16 = 278;
const STRIP_BYTE_COUNTS: u16 = 279;
const TILE_WIDTH: u16 = 322;
const TILE_LENGTH: u16 = 323;
const TILE_OFFSETS: u16 = 324;
const TILE_BYTE_COUNTS: u16 = 325;
const SAMPLE_FORMAT: u16 = 339;
/// Tag: lengths of the parts of [`IMAGEJ_METADATA`].
pub const IMAGEJ_METADATA_COUNTS: u16 = 50838;
/// Tag: ImageJ's slice labels and more.
pub const IMAGEJ_METADATA: u16 = 50839;
/// Tag: Micro-Manager's record of the frame.
pub const MICRO_MANAGER: u16 = 51123;

/// The mend of pixels that are no grey of 8 or 16 bits.
const MAKE_GREY: &str = "convert it to grey with 8 or 16 bits (ImageJ: Image > Type)";
/// The mend of a packing that is not read.
const UNPACK: &str = "save it without compression (`tiffcp -c none in.tif out.tif`, or ImageJ: File > Save As)";

/// Where the pixels of a page lie.
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    /// In one piece from here on, not packed.
    Whole(u64),
    /// In strips, not packed: offset of each, all of the same number of rows but the last.
    Strips {
        /// Rows of a strip.
        rows: u32,
        /// Where each strip begins.
        offsets: Vec<u64>,
    },
    /// Packed or in tiles: for the decoder.
    Encoded,
}

/// One page.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// Size and type.
    pub shape: Shape,
    /// Stored with white as zero, 8 bits.
    pub white_is_zero: bool,
    /// Where the pixels lie.
    pub data: Data,
}

/// True for a page that is no frame: a thumbnail or a mask.
pub fn is_side_page(bytes: &mut Bytes, ifd: &Ifd) -> Result<bool, Fault> {
    Ok(ifd.number_or(bytes, NEW_SUBFILE_TYPE, 0)? & 0b101 != 0)
}

/// Reads what the tags say, and checks that the pixels lie inside the file.
pub fn read(bytes: &mut Bytes, ifd: &Ifd) -> Result<Page, Fault> {
    let dimension = |bytes: &mut Bytes, tag, name: &str| {
        let value = ifd.number_or(bytes, tag, 0)?;
        u32::try_from(value).map_err(|_| Fault::damaged(format!("its {name} is {value} px")))
    };
    let width_px = dimension(bytes, IMAGE_WIDTH, "width")?;
    let height_px = dimension(bytes, IMAGE_LENGTH, "height")?;
    let bits = grey_bits(bytes, ifd)?;
    let shape = Shape::new(width_px, height_px, bits)?;
    let white_is_zero = ifd.number_or(bytes, PHOTOMETRIC, 1)? == 0;
    if white_is_zero && bits == 16 {
        // Of the 16 bits fewer may carry the value, so nobody knows from what it must be subtracted.
        return Err(Fault::refused(
            "it has 16 bits and white as zero",
            "save it with black as zero (ImageJ: Image > Lookup Tables > Invert LUT, then Edit > Invert)",
        ));
    }
    let compression = ifd.number_or(bytes, COMPRESSION, 1)?;
    let data = if ifd.has(TILE_OFFSETS) {
        check_compression(compression)?;
        let tile = (ifd.number_or(bytes, TILE_WIDTH, 0)?, ifd.number_or(bytes, TILE_LENGTH, 0)?);
        if tile.0 == 0 || tile.1 == 0 {
            return Err(Fault::damaged("its tiles have no size"));
        }
        let n_tiles = u64::from(width_px).div_ceil(tile.0) * u64::from(height_px).div_ceil(tile.1);
        check_chunks(bytes, ifd, (TILE_OFFSETS, TILE_BYTE_COUNTS), n_tiles)?;
        Data::Encoded
    } else {
        let rows = ifd.number_or(bytes, ROWS_PER_STRIP, u64::MAX)?.clamp(1, u64::from(height_px));
        let n_strips = u64::from(height_px).div_ceil(rows);
        if compression == 1 {
            strips(bytes, ifd, &shape, rows as u32)?
        } else {
            check_compression(compression)?;
            check_chunks(bytes, ifd, (STRIP_OFFSETS, STRIP_BYTE_COUNTS), n_strips)?;
            Data::Encoded
        }
    };
    Ok(Page { shape, white_is_zero, data })
}

/// Bits per pixel of a grey page; refuses everything else.
fn grey_bits(bytes: &mut Bytes, ifd: &Ifd) -> Result<u32, Fault> {
    let refused = |what: String| Err(Fault::refused(what, MAKE_GREY));
    let photometric = ifd.number_or(bytes, PHOTOMETRIC, 1)?;
    let samples = ifd.number_or(bytes, SAMPLES_PER_PIXEL, 1)?;
    let bits = ifd.number_or(bytes, BITS_PER_SAMPLE, 1)?;
    let format = ifd.number_or(bytes, SAMPLE_FORMAT, 1)?;
    match photometric {
        0 | 1 => {}
        2 | 5 | 6 | 8 => return refused("its pixels are coloured".into()),
        3 => return refused("its pixels are colours of a palette".into()),
        other => return refused(format!("its pixels are of the unknown kind {other}")),
    }
    if samples != 1 {
        return refused(format!("it has {samples} values per pixel"));
    }
    match format {
        1 | 4 => {}
        2 => return refused("its pixels are signed numbers".into()),
        3 => return refused("its pixels are floating-point numbers".into()),
        other => return refused(format!("its pixels are numbers of the unknown kind {other}")),
    }
    if ifd.number_or(bytes, FILL_ORDER, 1)? == 2 {
        return refused("the bits of its bytes stand in reversed order".into());
    }
    match bits {
        8 => Ok(8),
        16 => Ok(16),
        other => refused(format!("its pixels have {other} bits")),
    }
}

/// Refuses what the decoder does not unpack.
fn check_compression(compression: u64) -> Result<(), Fault> {
    let name = match compression {
        1 | 5 | 8 | 32773 | 32946 => return Ok(()),
        2..=4 => "fax".to_owned(),
        6 | 7 => "JPEG, which changes pixel values".to_owned(),
        34712 | 33003 | 33005 => "JPEG 2000".to_owned(),
        34925 => "LZMA".to_owned(),
        50000 => "Zstandard".to_owned(),
        50001 => "WebP".to_owned(),
        other => format!("method {other}"),
    };
    Err(Fault::refused(format!("it is compressed with {name}"), UNPACK))
}

/// Checks that packed strips or tiles are as many as they must be and lie inside the file.
fn check_chunks(bytes: &mut Bytes, ifd: &Ifd, (at, counts): (u16, u16), n: u64) -> Result<(), Fault> {
    let offsets = ifd.numbers(bytes, at)?.unwrap_or_default();
    let counts = ifd.numbers(bytes, counts)?.unwrap_or_default();
    if offsets.len() as u64 != n || counts.len() as u64 != n {
        return Err(Fault::damaged(format!(
            "its pixels need {n} strips or tiles, it lists {} places and {} lengths",
            offsets.len(),
            counts.len()
        )));
    }
    match offsets.iter().zip(&counts).all(|(&at, &len)| bytes.holds(at, len)) {
        true => Ok(()),
        false => Err(beyond_the_end(bytes)),
    }
}

/// Strips that are not packed. Their lengths follow from the shape; what the file says of them is often wrong.
fn strips(bytes: &mut Bytes, ifd: &Ifd, shape: &Shape, rows: u32) -> Result<Data, Fault> {
    let offsets = ifd.numbers(bytes, STRIP_OFFSETS)?.unwrap_or_default();
    let n_strips = shape.height_px.div_ceil(rows) as usize;
    let strip_bytes = rows as u64 * shape.row_bytes() as u64;
    if offsets.len() == 1 && n_strips > 1 {
        // Some writers give one strip and leave the number of rows at a default.
        return whole(bytes, shape, offsets[0]);
    }
    if offsets.len() != n_strips {
        return Err(Fault::damaged(format!("its pixels need {n_strips} strips, it lists {}", offsets.len())));
    }
    if offsets.windows(2).all(|w| w[0].checked_add(strip_bytes) == Some(w[1])) {
        return whole(bytes, shape, offsets[0]);
    }
    let mut left = shape.image_bytes() as u64;
    for &at in &offsets {
        if !bytes.holds(at, left.min(strip_bytes)) {
            return Err(beyond_the_end(bytes));
        }
        left = left.saturating_sub(strip_bytes);
    }
    Ok(Data::Strips { rows, offsets })
}

/// Pixels in one piece.
fn whole(bytes: &Bytes, shape: &Shape, at: u64) -> Result<Data, Fault> {
    if bytes.holds(at, shape.image_bytes() as u64) { Ok(Data::Whole(at)) } else { Err(beyond_the_end(bytes)) }
}

/// The fault of pixels that are not there.
#[cold]
fn beyond_the_end(bytes: &Bytes) -> Fault {
    Fault::damaged(format!("its pixels lie beyond the end of the file ({} bytes)", bytes.len()))
}
