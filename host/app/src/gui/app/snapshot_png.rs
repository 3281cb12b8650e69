//! The picture as PNG files: as the camera gave it in the contrast that is shown, once with ROIs and scale bar and once
//! without. For people; measurements are recordings.

use super::{App, Message};
use crate::gui::job;
use crate::gui::widget::video::{self, transform::Transform};
use iced::Task;

impl App {
    /// Writes both on a thread of their own.
    pub(super) fn save_picture(&mut self) -> Task<Message> {
        use crate::gui::widget::video::Newest as _;
        let Some(picture) = self.live.source.newest() else {
            let why = "cannot save the picture\nthere is none yet\nstart the camera first";
            return Task::done(Message::Saved(Err(why.into())));
        };
        let (folder, rois) = (self.preferences.folder.clone(), self.live.marks().to_vec());
        let look = video::Look { scale: 1.0, transform: None, ..self.live.look(self.context()) };
        job::start("picture", move |tell| {
            let size = (picture.width_px, picture.height_px);
            let widget = (size.0 as f32, size.1 as f32);
            let stamp = jiff::Timestamp::now().strftime("%Y-%m-%d %H-%M-%S%.3f").to_string();
            let write = |overlay: bool, name: String| {
                let look = video::Look { overlay, ..look };
                let canvas = video::paint(&picture, &look, Transform::fit(widget, widget), &rois, size);
                let rgb: Vec<u8> = canvas.rgba.chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect();
                let path = folder.join(name);
                tetherscope_files::write_png(&path, size.0, size.1, &rgb).map(|()| path)
            };
            let made = std::fs::create_dir_all(&folder).map_err(|e| {
                format!("cannot save the picture\n{}: {e}\nchoose another folder in Settings", folder.display())
            });
            let saved = made.and_then(|()| {
                let plain = write(false, format!("picture {stamp}.png")).map_err(|e| e.to_string())?;
                write(true, format!("picture {stamp} with ROIs.png")).map_err(|e| e.to_string())?;
                Ok(format!("the picture was saved\n{}", plain.display()))
            });
            tell.tell(Message::Saved(saved));
        })
    }
}
