//! Size and pixel type of an image: what all images of one video have in common. Knows no file format.

use crate::fault::Fault;
use std::fmt;

/// Bytes of the largest image that is replayed. Real cameras stay below 200 MB; a header that says more is scrambled.
const MAX_IMAGE_BYTES: u64 = 1 << 30;

/// Width, height and bits per pixel of a grey image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Width.
    pub width_px: u32,
    /// Height.
    pub height_px: u32,
    /// 8 or 16.
    pub bits: u32,
}

impl Shape {
    /// A shape whose image is neither empty nor larger than a gigabyte.
    pub fn new(width_px: u32, height_px: u32, bits: u32) -> Result<Self, Fault> {
        let shape = Self { width_px, height_px, bits };
        let n_bytes = u64::from(width_px)
            .checked_mul(u64::from(height_px))
            .and_then(|n| n.checked_mul(u64::from(bits / 8)))
            .unwrap_or(u64::MAX);
        match n_bytes {
            0 => Err(Fault::damaged(format!("its size is {width_px} × {height_px} px"))),
            n if n > MAX_IMAGE_BYTES => Err(Fault::refused(
                format!("its size of {width_px} × {height_px} px is more than a gigabyte per image"),
                "if that is wrong, copy or record the file again; otherwise crop the video",
            )),
            _ => Ok(shape),
        }
    }

    /// Bytes of one pixel.
    pub fn bytes_per_px(&self) -> usize {
        (self.bits / 8) as usize
    }

    /// Bytes of one row.
    pub fn row_bytes(&self) -> usize {
        self.width_px as usize * self.bytes_per_px()
    }

    /// Bytes of the image, rows without gaps.
    pub fn image_bytes(&self) -> usize {
        self.row_bytes() * self.height_px as usize
    }

    /// Fails unless `other` has the same shape; `name` says what `other` is (`page 3`).
    pub fn must_equal(&self, other: &Shape, name: &str) -> Result<(), Fault> {
        if self == other {
            return Ok(());
        }
        Err(Fault::refused(
            format!("{name} is {other}, the first is {self}"),
            "split the video, so that all images of a file or folder have one size and type",
        ))
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} × {} px, {} bit", self.width_px, self.height_px, self.bits)
    }
}

/// Swaps the two bytes of each 16-bit pixel.
pub fn swap_bytes(pixels: &mut [u8]) {
    for pixel in pixels.as_chunks_mut::<2>().0 {
        *pixel = [pixel[1], pixel[0]];
    }
}

/// Turns white into black in an 8-bit image: value becomes 255 minus value.
pub fn invert(pixels: &mut [u8]) {
    for byte in pixels {
        *byte = !*byte;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_of_no_pixels_or_of_terabytes_is_no_shape() {
        assert!(Shape::new(0, 5, 8).is_err());
        assert!(Shape::new(u32::MAX, u32::MAX, 16).is_err());
        assert_eq!(Shape::new(1280, 1024, 16).unwrap().image_bytes(), 2_621_440);
    }

    #[test]
    fn another_size_is_refused_with_both_sizes_in_the_text() {
        let first = Shape::new(64, 48, 8).unwrap();
        let fault = first.must_equal(&Shape::new(64, 50, 16).unwrap(), "page 7").unwrap_err();
        assert_eq!(fault.cause(), "page 7 is 64 × 50 px, 16 bit, the first is 64 × 48 px, 8 bit");
    }

    #[test]
    fn swap_and_invert_work_on_every_pixel() {
        let mut pixels = [0x12, 0x34, 0xff, 0x00];
        swap_bytes(&mut pixels);
        assert_eq!(pixels, [0x34, 0x12, 0x00, 0xff]);
        invert(&mut pixels);
        assert_eq!(pixels, [0xcb, 0xed, 0xff, 0x00]);
    }
}
