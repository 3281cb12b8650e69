//! Damaged files: every prefix of good ones and thousands with flipped bytes. Each must end in frames or in an error,
//! never in a panic.

use super::{BIG, BIG_BIG_TIFF, BIG_TIFF, LITTLE, encoded, frame, tiled};
use crate::stack::Stack;
use crate::test_tiff::{TiffWriter, Value, imagej, picture, save, stack};
use std::path::Path;
use tiff::encoder::{Compression, DeflateLevel, Predictor};

/// Seed of the byte flips.
const SEED: u64 = 0x7e74_e25c_09e0_0001;

/// Small files of every sort, for the tests of damage.
fn good_files() -> Vec<Vec<u8>> {
    let mut w = TiffWriter::new(BIG);
    for page in 0..3 {
        w.grey(
            7,
            6,
            8,
            2,
            &picture(7, 6, 8, page),
            vec![(51123, Value::Text(format!("{{\"ElapsedTime-ms\": {page}}}")))],
        );
    }
    let wide = Value::Long8(vec![8]);
    let mut big = TiffWriter::new(BIG_TIFF);
    big.grey(5, 3, 16, 3, &picture(5, 3, 16, 0), vec![(257, Value::Long8(vec![3])), (305, wide)]);
    vec![
        stack(LITTLE, (5, 3), 8, 3),
        stack(BIG_BIG_TIFF, (5, 3), 16, 2),
        imagej(LITTLE, (5, 3), 8, 4, "finterval=0.1\n"),
        encoded(Compression::Lzw, Predictor::Horizontal, 2),
        encoded(Compression::Deflate(DeflateLevel::Fast), Predictor::None, 2),
        encoded(Compression::Packbits, Predictor::None, 1),
        tiled(BIG, 8),
        w.finish(),
        big.finish(),
    ]
}

/// Opens and reads a file that may be damaged; returns how many frames came out whole.
fn survive(path: &Path) -> u64 {
    let Ok(mut stack) = Stack::open(path) else { return 0 };
    let n = stack.n_frames();
    (0..n.min(20)).take_while(|&i| frame(&mut stack, i).is_ok()).count() as u64
}

#[test]
fn every_prefix_of_a_good_file_gives_its_complete_frames_or_an_error() {
    let folder = tempfile::tempdir().unwrap();
    for bytes in good_files() {
        let whole = survive(&save(folder.path(), "a.tif", &bytes));
        let path = save(folder.path(), "a.tif", &bytes);
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        let mut before = whole;
        for len in (0..bytes.len()).rev() {
            file.set_len(len as u64).unwrap();
            let n = survive(&path);
            assert!(n <= before, "{n} frames from {len} bytes, {before} from one more");
            before = n;
            match Stack::open(&path) {
                // What is cut off may be text or padding that no frame needs.
                Ok(stack) => assert!(stack.damage().is_some() || stack.n_frames() == whole),
                Err(fault) => assert!(fault.is_damage(), "{fault:?}"),
            }
        }
    }
}

#[test]
fn flipped_bytes_never_panic() {
    const FLIPS_PER_FILE: usize = 1500;
    let folder = tempfile::tempdir().unwrap();
    let mut random = SEED;
    let mut next = move || {
        // xorshift64: Marsaglia, J. Stat. Softw. 8 (2003) 14.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random as usize
    };
    for good in good_files() {
        for _ in 0..FLIPS_PER_FILE {
            let mut bytes = good.clone();
            for _ in 0..1 + next() % 4 {
                let at = next() % bytes.len();
                bytes[at] = next() as u8;
            }
            survive(&save(folder.path(), "a.tif", &bytes));
        }
    }
}
