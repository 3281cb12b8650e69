//! Folders of images: their order, what is refused by the name of its file, and images that are cut short.

use super::{LITTLE, open, open_with, run_to_the_end};
use crate::test_sink::TestSink;
use crate::test_tiff::{Style, TiffWriter, native, picture, save, stack};
use std::path::Path;
use tetherscope_plugin_api::Camera;
use tetherscope_plugin_api::abi::ENDED_ERROR;

fn write_png(path: &Path, color: png::ColorType, depth: png::BitDepth, size: (u32, u32), data: &[u8]) {
    let mut encoder = png::Encoder::new(std::fs::File::create(path).unwrap(), size.0, size.1);
    encoder.set_color(color);
    encoder.set_depth(depth);
    encoder.write_header().unwrap().write_image_data(data).unwrap();
}

fn grey_png(folder: &Path, name: &str, bits: u16, page: u32) {
    let depth = if bits == 8 { png::BitDepth::Eight } else { png::BitDepth::Sixteen };
    let data = TiffWriter::new(Style { big_endian: true, big_tiff: false }).pixels(bits, &picture(12, 9, bits, page));
    write_png(&folder.join(name), png::ColorType::Grayscale, depth, (12, 9), &data);
}

fn refusal(folder: &Path) -> String {
    open_with(folder.to_str().unwrap(), &[]).err().unwrap().message().to_owned()
}

#[test]
fn a_folder_of_images_comes_in_the_order_of_its_numbers() {
    for bits in [8, 16] {
        for format in ["png", "TIF"] {
            let folder = tempfile::tempdir().unwrap();
            for page in [0_u32, 2, 10, 9] {
                let name = format!("img{page}.{format}");
                match format {
                    "png" => grey_png(folder.path(), &name, bits, page),
                    _ => {
                        let mut w = TiffWriter::new(LITTLE);
                        w.grey(12, 9, bits, 9, &picture(12, 9, bits, page), Vec::new());
                        save(folder.path(), &name, &w.finish());
                    }
                }
            }
            save(folder.path(), "notes.txt", b"notes");
            save(folder.path(), "._img1.png", b"rubbish");
            std::fs::create_dir(folder.path().join("old.png")).unwrap();
            let camera = open(folder.path(), &[]);
            let sink = TestSink::new(2, 216, true);
            camera.start(sink.frames()).unwrap();
            run_to_the_end(&camera, &sink);
            camera.stop().unwrap();
            sink.log(|l| {
                for (frame, page) in l.frames.iter().zip([0, 2, 9, 10]) {
                    let wanted = native(bits, &picture(12, 9, bits, page));
                    assert_eq!(frame.bytes[..wanted.len()], wanted);
                }
                assert_eq!(l.frames.len(), 4);
            });
        }
    }
}

#[test]
fn folders_that_are_no_video_are_refused_by_the_name_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    assert!(refusal(folder.path()).contains("holds no images"));
    grey_png(folder.path(), "a1.png", 8, 0);
    grey_png(folder.path(), "a3.png", 16, 0);
    assert!(refusal(folder.path()).contains("a3.png is 12 × 9 px, 16 bit"));
    save(folder.path(), "b.tif", &stack(LITTLE, (12, 9), 8, 1));
    assert!(refusal(folder.path()).contains("2 PNG and 1 TIFF files"));
    let folder = tempfile::tempdir().unwrap();
    save(folder.path(), "b.tif", &stack(LITTLE, (12, 9), 8, 3));
    assert!(refusal(folder.path()).contains("b.tif: it has 3 pages"));
    let folder = tempfile::tempdir().unwrap();
    let rgb = [0; 3 * 108];
    write_png(&folder.path().join("c.png"), png::ColorType::Rgb, png::BitDepth::Eight, (12, 9), &rgb);
    assert!(refusal(folder.path()).contains("c.png: its pixels are coloured"));
    assert!(refusal(Path::new("/nowhere")).contains("no such file or folder"));
    assert!(open_with("", &[]).err().unwrap().message().contains("`path`"));
}

#[test]
fn every_prefix_of_a_png_is_an_error_and_ends_the_folder_there() {
    let folder = tempfile::tempdir().unwrap();
    grey_png(folder.path(), "a1.png", 8, 0);
    let bytes = std::fs::read(folder.path().join("a1.png")).unwrap();
    // The last chunk holds no pixels: without it the image is whole.
    let n_needed = bytes.len() - 12;
    for len in 0..n_needed {
        save(folder.path(), "a2.png", &bytes[..len]);
        let camera = open(folder.path(), &[]);
        let sink = TestSink::new(2, 108, true);
        camera.start(sink.frames()).unwrap();
        run_to_the_end(&camera, &sink);
        camera.stop().unwrap();
        let (reason, text) = sink.log(|l| l.ended.clone()).unwrap();
        assert_eq!((sink.log(|l| l.frames.len()), reason), (1, ENDED_ERROR), "{len} bytes");
        assert!(text.contains("a2.png"), "{text}");
    }
}

#[test]
fn a_single_png_is_a_video_of_one_frame() {
    let folder = tempfile::tempdir().unwrap();
    grey_png(folder.path(), "a.png", 16, 3);
    let camera = open(&folder.path().join("a.png"), &[]);
    assert_eq!(camera.format().unwrap().n_frames, 1);
}
