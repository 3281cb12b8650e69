//! Packed and high-aligned pixel data, once per frame, into what trackers see: 16 bits, value in the low bits.

use rayon::prelude::*;
use tetherscope_loader::{CameraFormat, abi};

/// `CameraFormat::flags` bit of data in the high bits.
const HIGH: u32 = abi::FORMAT_MSB_ALIGNED;

/// True if frames of this format must be unpacked before tracking.
pub(crate) fn is_needed(format: &CameraFormat) -> bool {
    let packed = [abi::PIXEL_MONO10P, abi::PIXEL_MONO12P, abi::PIXEL_MONO12_PACKED].contains(&format.pixel_format);
    let high = format.flags & HIGH != 0 && format.significant_bits < 16 && format.pixel_format != abi::PIXEL_MONO8;
    packed || high
}

/// Unpacks one payload into `width × height` pixels. Panics if a buffer is too small; formats are checked at arm.
/// Rows in parallel: only to be called on a pool of the host's.
pub(crate) fn unpack(format: &CameraFormat, payload: &[u8], pixels: &mut [u16]) {
    let (w, h) = (format.width_px as usize, format.height_px as usize);
    pixels.par_chunks_mut(w).take(h).enumerate().for_each(|(y, out)| unpack_row(format, payload, y, out));
}

/// As [`unpack`], on this thread.
pub(crate) fn unpack_serially(format: &CameraFormat, payload: &[u8], pixels: &mut [u16]) {
    let (w, h) = (format.width_px as usize, format.height_px as usize);
    pixels.chunks_mut(w).take(h).enumerate().for_each(|(y, out)| unpack_row(format, payload, y, out));
}

fn unpack_row(format: &CameraFormat, payload: &[u8], y: usize, out: &mut [u16]) {
    let row = &payload[format.image_offset_bytes as usize + y * format.row_stride_bytes as usize..];
    match format.pixel_format {
        abi::PIXEL_MONO10P => unpack_lsb_first::<10>(row, out),
        abi::PIXEL_MONO12P => unpack_lsb_first::<12>(row, out),
        abi::PIXEL_MONO12_PACKED => unpack_12_packed(row, out),
        _ => {
            let shift = 16 - format.significant_bits;
            for (o, b) in out.iter_mut().zip(row.as_chunks::<2>().0) {
                *o = u16::from_ne_bytes(*b) >> shift;
            }
        }
    }
}

/// PFNC's `p` formats: pixels one after the other without gaps, least significant bit first.
fn unpack_lsb_first<const BITS: usize>(row: &[u8], out: &mut [u16]) {
    for (x, o) in out.iter_mut().enumerate() {
        let bit = x * BITS;
        let (byte, shift) = (bit / 8, bit % 8);
        // 10 or 12 bits lie in two bytes, whatever the shift (at most 6).
        let two = u16::from(row[byte]) | u16::from(row[byte + 1]) << 8;
        *o = (two >> shift) & ((1 << BITS) - 1);
    }
}

/// GigE Vision's Mono12Packed: of three bytes the outer two are the high bits of two pixels, the middle one holds the
/// low bits, the first pixel's in its low half.
fn unpack_12_packed(row: &[u8], out: &mut [u16]) {
    for (x, o) in out.iter_mut().enumerate() {
        let at = x / 2 * 3;
        *o = if x % 2 == 0 {
            u16::from(row[at]) << 4 | u16::from(row[at + 1]) & 0xf
        } else {
            u16::from(row[at + 2]) << 4 | u16::from(row[at + 1]) >> 4
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(pixel_format: u32, bits: u32, row_stride_bytes: u64) -> CameraFormat {
        let payload_bytes = 2 * row_stride_bytes + 3;
        let offset = 3;
        CameraFormat {
            row_stride_bytes,
            payload_bytes,
            image_offset_bytes: offset,
            ..CameraFormat::packed(5, 2, pixel_format, bits)
        }
    }

    /// Packs pixels bit by bit, as the PFNC text describes it.
    fn pack(pixels: &[u16], bits: usize, stride: usize) -> Vec<u8> {
        let mut bytes = vec![0xee; 3];
        for row in pixels.chunks(5) {
            let mut packed = vec![0_u8; stride];
            for (x, p) in row.iter().enumerate() {
                for b in 0..bits {
                    let bit = x * bits + b;
                    packed[bit / 8] |= ((p >> b & 1) as u8) << (bit % 8);
                }
            }
            bytes.extend(packed);
        }
        bytes
    }

    #[test]
    fn ten_and_twelve_bit_rows_unpack_to_the_values_that_were_packed() {
        for (code, bits) in [(abi::PIXEL_MONO10P, 10_u16), (abi::PIXEL_MONO12P, 12)] {
            let pixels: Vec<u16> = (0..10).map(|i| (i * 397 + 5) % (1 << bits)).collect();
            let f = format(code, bits.into(), 9);
            assert!(is_needed(&f));
            let mut out = vec![0; 10];
            unpack(&f, &pack(&pixels, bits.into(), 9), &mut out);
            assert_eq!(out, pixels);
        }
    }

    #[test]
    fn gige_packed_pixels_come_in_pairs_of_three_bytes() {
        let f = format(abi::PIXEL_MONO12_PACKED, 12, 8);
        let mut payload = vec![0; 3];
        payload.extend([0xab, 0x3c, 0x12, 0, 0, 0, 0, 0]);
        payload.extend([0; 8]);
        let mut out = vec![9; 10];
        unpack(&f, &payload, &mut out);
        assert_eq!(out[..2], [0xabc, 0x123]);
    }

    #[test]
    fn values_in_the_high_bits_are_brought_down() {
        let f = CameraFormat { flags: HIGH, ..format(abi::PIXEL_MONO12, 12, 10) };
        assert!(is_needed(&f));
        let mut payload = vec![0; 3];
        for v in 0..10_u16 {
            payload.extend(((v * 300) << 4).to_ne_bytes());
        }
        let mut out = vec![0; 10];
        unpack(&f, &payload, &mut out);
        assert_eq!(out, (0..10).map(|v| v * 300).collect::<Vec<u16>>());
        assert!(!is_needed(&format(abi::PIXEL_MONO12, 12, 10)));
    }
}
