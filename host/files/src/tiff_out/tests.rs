use super::*;
use crate::error::ErrorKind;
use tiff::decoder::{Decoder, DecodingResult};
use tiff::tags::Tag;

fn options(depth: GreyDepth) -> TiffStackOptions {
    TiffStackOptions { width_px: 7, height_px: 5, depth, nm_per_px: Some(54.2), frame_interval_s: Some(0.01) }
}

fn planes_u16(n: u16) -> Vec<Vec<u16>> {
    (0..n).map(|p| (0..35).map(|i| p.wrapping_mul(1009) ^ (i * 777)).collect()).collect()
}

fn decoder(path: &Path) -> Decoder<std::io::BufReader<std::fs::File>> {
    Decoder::new(std::io::BufReader::new(std::fs::File::open(path).unwrap())).unwrap()
}

#[test]
fn another_reader_sees_every_page_of_a_u16_stack() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.tif");
    let planes = planes_u16(130);
    let mut writer = TiffStackWriter::create(&path, &options(GreyDepth::U16)).unwrap();
    for plane in &planes {
        writer.write_plane_u16(plane).unwrap();
    }
    assert_eq!(writer.n_planes(), 130);
    writer.finish().unwrap();

    let mut tiff = decoder(&path);
    assert_eq!(tiff.dimensions().unwrap(), (7, 5));
    for (i, plane) in planes.iter().enumerate() {
        match tiff.read_image().unwrap() {
            DecodingResult::U16(found) => assert_eq!(&found, plane, "page {i}"),
            other => panic!("{other:?}"),
        }
        assert_eq!(tiff.more_images(), i + 1 < planes.len());
        if tiff.more_images() {
            tiff.next_image().unwrap();
        }
    }
}

#[test]
fn a_u8_stack_of_odd_planes_reads_back_and_describes_itself_to_imagej() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.tif");
    let mut writer = TiffStackWriter::create(&path, &options(GreyDepth::U8)).unwrap();
    for p in 0..3_u8 {
        writer.write_plane(&[p * 100; 35]).unwrap();
    }
    writer.finish().unwrap();

    let mut tiff = decoder(&path);
    let description = tiff.get_tag_ascii_string(Tag::ImageDescription).unwrap();
    assert!(description.starts_with("ImageJ="));
    for line in ["images=0000000003", "frames=0000000003", "unit=nm", "finterval=1e-2"] {
        assert!(description.lines().any(|l| l == line), "{description}");
    }
    for p in 0..3_u8 {
        match tiff.read_image().unwrap() {
            DecodingResult::U8(found) => assert_eq!(found, [p * 100; 35]),
            other => panic!("{other:?}"),
        }
        if p < 2 {
            tiff.next_image().unwrap();
        }
    }
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(bytes[4096..4096 + 35], [0; 35]);
    assert_eq!(bytes[4096 + 35..4096 + 70], [100; 35], "planes touch");
}

#[test]
fn a_stack_that_is_too_long_for_the_chain_is_still_an_imagej_stack() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.tif");
    let mut writer = TiffStackWriter::create(&path, &options(GreyDepth::U8)).unwrap();
    writer.chain_limit = 4096 + 3 * 35;
    for _ in 0..3 {
        writer.write_plane(&[9; 35]).unwrap();
    }
    writer.finish().unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 4096 + 3 * 35);
    let mut tiff = decoder(&path);
    let description = tiff.get_tag_ascii_string(Tag::ImageDescription).unwrap();
    assert!(description.contains("images=0000000003"));
    assert!(!tiff.more_images());
}

#[test]
fn the_temporary_file_of_a_killed_program_opens_with_the_planes_counted_last() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.tif");
    let mut writer = TiffStackWriter::create(&path, &options(GreyDepth::U8)).unwrap();
    for _ in 0..100 {
        writer.write_plane(&[9; 35]).unwrap();
    }
    let temporary = std::fs::read_dir(dir.path()).unwrap().next().unwrap().unwrap().path();
    let mut tiff = decoder(&temporary);
    let description = tiff.get_tag_ascii_string(Tag::ImageDescription).unwrap();
    assert!(description.contains("images=0000000064"));
    drop(writer);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_plane_of_the_wrong_length_is_refused_and_the_stack_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.tif");
    let mut writer = TiffStackWriter::create(&path, &options(GreyDepth::U16)).unwrap();
    writer.write_plane_u16(&[1; 35]).unwrap();
    let error = writer.write_plane(&[1; 35]).unwrap_err();
    assert!(error.cause().contains("35 bytes") && error.cause().contains("70"), "{error}");
    writer.write_plane_u16(&[2; 35]).unwrap();
    writer.finish().unwrap();
    assert!(path.exists());
}

#[test]
fn options_that_make_no_tiff_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.tif");
    let good = options(GreyDepth::U16);
    let bad = [
        TiffStackOptions { width_px: 0, ..good },
        TiffStackOptions { width_px: 65_536, height_px: 32_768, ..good },
        TiffStackOptions { nm_per_px: Some(-1.0), ..good },
        TiffStackOptions { frame_interval_s: Some(f64::NAN), ..good },
    ];
    for options in bad {
        let error = TiffStackWriter::create(&path, &options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidValue);
    }
    let empty = TiffStackWriter::create(&path, &good).unwrap();
    assert_eq!(empty.finish().unwrap_err().kind(), ErrorKind::InvalidValue);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}
