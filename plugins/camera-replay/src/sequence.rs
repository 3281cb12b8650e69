//! A folder of images as a video: one file per frame, sorted as people number files. All files are looked at when the
//! folder is opened, so that a stray one is named before the experiment starts; pixels are read when asked for.

use crate::fault::Fault;
use crate::natural;
use crate::png_image;
use crate::shape::Shape;
use crate::stack::Stack;
use std::path::{Path, PathBuf};

/// What the images of a folder are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Tiff,
    Png,
}

/// A folder with at least one image, or a single image.
#[derive(Debug)]
pub struct Sequence {
    files: Vec<(PathBuf, Format)>,
    shape: Shape,
    damage: Option<Fault>,
}

impl Sequence {
    /// Opens a folder. Hidden files, folders and files of other kinds are left out. Files of different size or type,
    /// both kinds of files together, and TIFF files with more than one page are refused. A file that is cut short ends
    /// the video there, see [`Sequence::damage`]; the first one must be whole.
    pub fn open_folder(folder: &Path) -> Result<Self, Fault> {
        let mut names = Vec::new();
        let entries = std::fs::read_dir(folder).map_err(|e| Fault::io("the folder cannot be read", &e))?;
        for entry in entries {
            let entry = entry.map_err(|e| Fault::io("the folder cannot be read", &e))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let format = format_of(&entry.path()).filter(|_| !name.starts_with('.') && entry.path().is_file());
            names.extend(format.map(|format| (name, entry.path(), format)));
        }
        names.sort_by(|a, b| natural::compare(&a.0, &b.0));
        let n_png = names.iter().filter(|n| n.2 == Format::Png).count();
        if n_png != 0 && n_png != names.len() {
            return Err(Fault::refused(
                format!("the folder holds {n_png} PNG and {} TIFF files", names.len() - n_png),
                "move one kind elsewhere, so that the order of the frames is clear",
            ));
        }
        Self::open_files(names.into_iter().map(|(_, path, format)| (path, format)).collect())
    }

    /// Opens a single PNG file as a video of one frame.
    pub fn open_png(path: &Path) -> Result<Self, Fault> {
        Ok(Self { files: vec![(path.into(), Format::Png)], shape: png_image::shape(path)?, damage: None })
    }

    fn open_files(mut files: Vec<(PathBuf, Format)>) -> Result<Self, Fault> {
        let Some(first) = files.first() else {
            return Err(Fault::refused(
                "the folder holds no images",
                "give a folder with .tif, .tiff or .png files, or a TIFF file",
            ));
        };
        let shape = file_shape(first)?;
        let mut damage = None;
        for (i, file) in files.iter().enumerate().skip(1) {
            match file_shape(file) {
                Ok(other) => shape.must_equal(&other, &name(&file.0))?,
                Err(fault) if fault.is_damage() => {
                    damage = Some((i, fault.and(&format!("; the {i} images before it are complete"))));
                    break;
                }
                Err(fault) => return Err(fault),
            }
        }
        if let Some((n_complete, _)) = damage {
            files.truncate(n_complete);
        }
        Ok(Self { files, shape, damage: damage.map(|(_, fault)| fault) })
    }

    /// Size and type of every image.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Number of images, at least 1.
    pub fn n_frames(&self) -> u64 {
        self.files.len() as u64
    }

    /// What is wrong with the file after the last one.
    pub fn damage(&self) -> Option<&Fault> {
        self.damage.as_ref()
    }

    /// Reads image `index` into `out`, which holds exactly one image: rows without gaps, 16-bit pixels in the machine's
    /// byte order.
    pub fn read(&mut self, index: u64, out: &mut [u8]) -> Result<(), Fault> {
        let (path, format) = &self.files[index as usize];
        let mut read = || match format {
            Format::Png => png_image::read(path, &self.shape, out),
            Format::Tiff => {
                let mut stack = Stack::open(path)?;
                self.shape.must_equal(&stack.shape(), "it")?;
                stack.read(0, out)
            }
        };
        read().map_err(|f| f.at(&name(path)))
    }
}

/// The kind of an image by its name's end; None for other files.
fn format_of(path: &Path) -> Option<Format> {
    match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "tif" | "tiff" => Some(Format::Tiff),
        "png" => Some(Format::Png),
        _ => None,
    }
}

/// Size and type of one file of a sequence; the fault names the file.
fn file_shape((path, format): &(PathBuf, Format)) -> Result<Shape, Fault> {
    let shape = || match format {
        Format::Png => png_image::shape(path),
        Format::Tiff => {
            let stack = Stack::open(path)?;
            if stack.n_frames() > 1 {
                return Err(Fault::refused(
                    format!("it has {} pages, in a folder each file is one frame", stack.n_frames()),
                    "give that file itself as the path, or move it elsewhere",
                ));
            }
            match stack.damage() {
                Some(fault) => Err(fault.clone()),
                None => Ok(stack.shape()),
            }
        }
    };
    shape().map_err(|f| f.at(&name(path)))
}

/// A file's name for a message.
fn name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
