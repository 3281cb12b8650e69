//! TIFF files of every sort that is read, written by hand or by the `tiff` crate's encoder; and what is
//! refused.

mod damage;

use super::Stack;
use crate::fault::Fault;
use crate::test_tiff::{Style, TiffWriter, Value, grey_tags, imagej, merged, native, picture, save, stack};
use crate::times::Times;
use std::path::Path;
use tempfile::TempDir;
use tiff::encoder::{Compression, DeflateLevel, Predictor, TiffEncoder, colortype};

const LITTLE: Style = Style { big_endian: false, big_tiff: false };
const BIG: Style = Style { big_endian: true, big_tiff: false };
const BIG_TIFF: Style = Style { big_endian: false, big_tiff: true };
const BIG_BIG_TIFF: Style = Style { big_endian: true, big_tiff: true };

fn open(bytes: &[u8]) -> Result<(TempDir, Stack), Fault> {
    let folder = tempfile::tempdir().unwrap();
    let path = save(folder.path(), "a.tif", bytes);
    Stack::open(&path).map(|stack| (folder, stack))
}

fn frame(stack: &mut Stack, index: u64) -> Result<Vec<u8>, Fault> {
    let mut out = vec![0; stack.shape().image_bytes()];
    stack.read(index, &mut out).map(|()| out)
}

/// Opens `bytes` and compares every frame with [`picture`].
fn check(bytes: &[u8], size: (u32, u32), bits: u16, n: u32) {
    let (_folder, mut stack) = open(bytes).unwrap();
    assert_eq!(stack.damage(), None);
    assert_eq!(stack.n_frames(), u64::from(n));
    let shape = stack.shape();
    assert_eq!((shape.width_px, shape.height_px, shape.bits), (size.0, size.1, u32::from(bits)));
    for page in 0..n {
        let wanted = native(bits, &picture(size.0, size.1, bits, page));
        assert_eq!(frame(&mut stack, u64::from(page)).unwrap(), wanted, "page {page}");
    }
}

/// The error of a file that must not open.
fn refusal(bytes: &[u8]) -> Fault {
    open(bytes).map(|_| ()).unwrap_err()
}

/// One page with some tags replaced.
fn odd_page(bits: u16, extra: Vec<(u16, Value)>) -> Vec<u8> {
    let mut w = TiffWriter::new(LITTLE);
    w.grey(6, 4, bits, 4, &picture(6, 4, bits, 0), extra);
    w.finish()
}

/// A stack by the `tiff` crate's encoder.
fn encoded(compression: Compression, predictor: Predictor, n: u32) -> Vec<u8> {
    let mut out = std::io::Cursor::new(Vec::new());
    let mut encoder = TiffEncoder::new(&mut out).unwrap().with_compression(compression).with_predictor(predictor);
    for page in 0..n {
        let mut image = encoder.new_image::<colortype::Gray16>(33, 21).unwrap();
        image.rows_per_strip(5).unwrap();
        image.write_data(&picture(33, 21, 16, page)).unwrap();
    }
    out.into_inner()
}

/// A page of 16 × 16 tiles, `size` not a multiple of them.
fn tiled(style: Style, bits: u16) -> Vec<u8> {
    let (width, height) = (21_u32, 19_u32);
    let pixels = picture(width, height, bits, 0);
    let mut w = TiffWriter::new(style);
    let mut places = Vec::new();
    for (tile_y, tile_x) in [(0, 0), (0, 16), (16, 0), (16, 16)] {
        let at = |x: u32, y: u32| if x < width && y < height { pixels[(y * width + x) as usize] } else { 0 };
        let tile: Vec<u16> = (0..256).map(|i| at(tile_x + i % 16, tile_y + i / 16)).collect();
        let raw = w.pixels(bits, &tile);
        places.push(w.append(&raw) as u32);
    }
    let lengths = vec![256 * u32::from(bits / 8); 4];
    let tags = vec![
        (322, Value::Long(vec![16])),
        (323, Value::Long(vec![16])),
        (324, Value::Long(places)),
        (325, Value::Long(lengths)),
    ];
    w.page(&merged(grey_tags(width, height, bits), tags));
    w.finish()
}

#[test]
fn plain_stacks_of_both_byte_orders_and_both_sorts_are_read() {
    for style in [LITTLE, BIG, BIG_TIFF, BIG_BIG_TIFF] {
        for bits in [8, 16] {
            check(&stack(style, (13, 7), bits, 5), (13, 7), bits, 5);
        }
    }
}

#[test]
fn strips_are_joined_wherever_they_lie() {
    for rows in [1, 3, 7] {
        let mut w = TiffWriter::new(BIG);
        // Thirteen bytes a row: every second strip begins at a padded place.
        w.grey(13, 7, 8, rows, &picture(13, 7, 8, 0), Vec::new());
        check(&w.finish(), (13, 7), 8, 1);
    }
}

#[test]
fn tiles_are_read() {
    for style in [LITTLE, BIG] {
        check(&tiled(style, 8), (21, 19), 8, 1);
        check(&tiled(style, 16), (21, 19), 16, 1);
    }
}

#[test]
fn packed_pages_are_unpacked() {
    for predictor in [Predictor::None, Predictor::Horizontal] {
        check(&encoded(Compression::Lzw, predictor, 4), (33, 21), 16, 4);
        check(&encoded(Compression::Deflate(DeflateLevel::Balanced), predictor, 4), (33, 21), 16, 4);
    }
    check(&encoded(Compression::Packbits, Predictor::None, 4), (33, 21), 16, 4);
    check(&encoded(Compression::Uncompressed, Predictor::None, 4), (33, 21), 16, 4);
}

#[test]
fn packed_pages_are_found_in_any_order() {
    let (_folder, mut stack) = open(&encoded(Compression::Lzw, Predictor::None, 9)).unwrap();
    for page in [8, 0, 4] {
        assert_eq!(frame(&mut stack, page).unwrap(), native(16, &picture(33, 21, 16, page as u32)));
    }
}

#[test]
fn imagej_images_behind_a_single_page_are_found() {
    for style in [LITTLE, BIG] {
        for bits in [8, 16] {
            check(&imagej(style, (11, 5), bits, 7, "frames=7\n"), (11, 5), bits, 7);
        }
    }
}

/// The larger part of such a file is a hole: it takes no room on the disk.
#[test]
fn imagej_images_beyond_four_gigabytes_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let (width, height, n) = (1 << 15, 1 << 15, 6_u64);
    let mut w = TiffWriter::new(BIG);
    let mut tags = grey_tags(width, height, 8);
    let text = format!("ImageJ=1.53t\nimages={n}\nslices={n}\n");
    tags.extend([
        (270, Value::Text(text)),
        (273, Value::Long(vec![4096])),
        (278, Value::Long(vec![height])),
        (279, Value::Long(vec![width * height])),
    ]);
    w.page(&merged(tags, Vec::new()));
    let path = save(folder.path(), "big.tif", &w.finish());
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(4096 + n * (1 << 30)).unwrap();
    let mark_at = 4096 + 5 * (1_u64 << 30) + 3;
    std::io::Seek::seek(&mut &file, std::io::SeekFrom::Start(mark_at)).unwrap();
    std::io::Write::write_all(&mut &file, &[77]).unwrap();
    let mut stack = Stack::open(&path).unwrap();
    assert_eq!((stack.n_frames(), stack.damage()), (6, None));
    let mut start = [0; 8];
    let super::PageRef::Pixels(at) = stack.pages[5] else { panic!("pages are read straight") };
    stack.bytes.read_at(at, &mut start).unwrap();
    assert_eq!(start, [0, 0, 0, 77, 0, 0, 0, 0]);
}

#[test]
fn a_cut_imagej_stack_gives_the_images_that_are_there() {
    let bytes = imagej(LITTLE, (11, 5), 8, 7, "");
    let (_folder, mut stack) = open(&bytes[..4096 + 3 * 55 + 20]).unwrap();
    assert_eq!(stack.n_frames(), 3);
    let text = stack.damage().unwrap().cause().to_owned();
    assert!(text.contains("page 4 of 7") && text.contains("the 3 before it are complete"), "{text}");
    assert_eq!(frame(&mut stack, 2).unwrap(), native(8, &picture(11, 5, 8, 2)));
}

#[test]
fn white_as_zero_is_turned_round() {
    for compression in [1, 32773] {
        // PackBits of 24 literal bytes is a length byte in front of them.
        let pixels = picture(6, 4, 8, 0);
        let mut raw: Vec<u8> = pixels.iter().map(|&p| !(p as u8)).collect();
        if compression == 32773 {
            raw.insert(0, 23);
        }
        let mut w = TiffWriter::new(LITTLE);
        let at = w.append(&raw) as u32;
        let tags = vec![
            (259, Value::Short(vec![compression])),
            (262, Value::Short(vec![0])),
            (273, Value::Long(vec![at])),
            (278, Value::Long(vec![4])),
            (279, Value::Long(vec![raw.len() as u32])),
        ];
        w.page(&merged(grey_tags(6, 4, 8), tags));
        check(&w.finish(), (6, 4), 8, 1);
    }
    assert!(refusal(&odd_page(16, vec![(262, Value::Short(vec![0]))])).cause().contains("white as zero"));
}

#[test]
fn what_is_no_plain_grey_is_refused_by_name() {
    let cases: [(u16, u16, &str); 9] = [
        (262, 2, "coloured"),
        (262, 3, "palette"),
        (277, 3, "3 values per pixel"),
        (258, 12, "12 bits"),
        (258, 32, "32 bits"),
        (339, 3, "floating-point"),
        (339, 2, "signed"),
        (259, 7, "JPEG"),
        (259, 50000, "Zstandard"),
    ];
    for (tag, value, wanted) in cases {
        let fault = refusal(&odd_page(8, vec![(tag, Value::Short(vec![value]))]));
        assert!(fault.cause().contains(wanted) && fault.cause().starts_with("page 1"), "{fault:?}");
        assert!(!fault.is_damage());
    }
}

#[test]
fn a_page_of_another_size_is_refused_with_its_number() {
    let mut w = TiffWriter::new(LITTLE);
    w.grey(6, 4, 8, 4, &picture(6, 4, 8, 0), Vec::new());
    w.grey(6, 4, 8, 4, &picture(6, 4, 8, 1), Vec::new());
    w.grey(6, 5, 8, 5, &picture(6, 5, 8, 2), Vec::new());
    let fault = refusal(&w.finish());
    assert!(fault.cause().contains("page 3") && fault.cause().contains("6 × 5 px"), "{fault:?}");
}

#[test]
fn thumbnails_are_no_frames() {
    let mut w = TiffWriter::new(LITTLE);
    w.grey(6, 4, 8, 4, &picture(6, 4, 8, 0), Vec::new());
    w.grey(3, 2, 8, 2, &picture(3, 2, 8, 0), vec![(254, Value::Long(vec![1]))]);
    w.grey(6, 4, 8, 4, &picture(6, 4, 8, 1), Vec::new());
    check(&w.finish(), (6, 4), 8, 2);
}

#[test]
fn a_list_of_pages_that_runs_in_a_circle_ends() {
    let mut bytes = stack(LITTLE, (6, 4), 8, 2);
    let first = bytes[4..8].to_vec();
    let at = bytes.len() - 4;
    bytes[at..].copy_from_slice(&first);
    let (_folder, stack) = open(&bytes).unwrap();
    assert_eq!(stack.n_frames(), 2);
    assert!(stack.damage().unwrap().cause().contains("leads back"));
}

#[test]
fn files_that_are_no_tiff_or_have_no_pages_are_refused() {
    assert!(refusal(b"RIFF....AVI ").cause().contains("not a TIFF"));
    assert!(refusal(b"").cause().contains("empty"));
    assert!(refusal(&TiffWriter::new(LITTLE).finish()).cause().contains("no images"));
    assert!(Stack::open(Path::new("/nowhere/a.tif")).unwrap_err().cause().contains("no such file"));
}

#[test]
fn times_come_from_imagej_from_micro_manager_and_from_ome() {
    let times = |bytes: &[u8]| open(bytes).unwrap().1.times().clone();
    assert_eq!(times(&imagej(LITTLE, (4, 4), 8, 3, "frames=3\nfinterval=0.04\n")), Times::even(0.04));
    assert_eq!(times(&stack(LITTLE, (4, 4), 8, 3)), Times::Unknown);
    let mut w = TiffWriter::new(LITTLE);
    for (page, ms) in [(0, 0.0), (1, 12.5), (2, 30.0)] {
        let record = format!("{{\"Frame\": {page}, \"ElapsedTime-ms\": {ms:?}}}");
        w.grey(4, 4, 8, 4, &picture(4, 4, 8, page), vec![(51123, Value::Text(record))]);
    }
    assert_eq!(times(&w.finish()), Times::Each(vec![0, 12_500_000, 30_000_000]));
    let xml = r#"<OME><Pixels SignificantBits="12"><Plane TheT="0" DeltaT="1"/><Plane TheT="1" DeltaT="1.5"/></Pixels></OME>"#;
    let mut w = TiffWriter::new(BIG_TIFF);
    w.grey(4, 4, 16, 4, &picture(4, 4, 16, 0), vec![(270, Value::Text(xml.into()))]);
    w.grey(4, 4, 16, 4, &picture(4, 4, 16, 1), Vec::new());
    let (_folder, stack) = open(&w.finish()).unwrap();
    assert_eq!(*stack.times(), Times::Each(vec![1_000_000_000, 1_500_000_000]));
    assert_eq!(stack.significant_bits(), Some(12));
}

#[test]
fn times_come_from_slice_labels() {
    let labels = ["t = 0 s", "t = 0.5 s", "t = 0.75 s"];
    let entries: Vec<Vec<u8>> = labels.iter().map(|l| l.encode_utf16().flat_map(u16::to_le_bytes).collect()).collect();
    let mut block: Vec<u8> = Vec::new();
    for word in [0x494a_494a_u32, 0x6c61_626c, 3] {
        block.extend(word.to_le_bytes());
    }
    let mut counts = vec![12];
    for entry in &entries {
        counts.push(entry.len() as u32);
        block.extend(entry);
    }
    let mut w = TiffWriter::new(LITTLE);
    let extra = vec![(50838, Value::Long(counts)), (50839, Value::Bytes(block))];
    w.grey(4, 4, 8, 4, &picture(4, 4, 8, 0), extra);
    w.grey(4, 4, 8, 4, &picture(4, 4, 8, 1), Vec::new());
    w.grey(4, 4, 8, 4, &picture(4, 4, 8, 2), Vec::new());
    assert_eq!(*open(&w.finish()).unwrap().1.times(), Times::Each(vec![0, 500_000_000, 750_000_000]));
}
