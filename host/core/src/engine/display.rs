//! Pictures for whoever looks: the newest frame, copied only when somebody looked at the last one, at its own pace. A display
//! that nobody looks at costs nothing, and one that is slow slows nobody.

use super::meters::Meters;
use crate::RunError;
use crate::control::{Hub, Picture, PicturePixels};
use crate::piece::PixelGrid;
use crate::ring::{Frame, Next, Subscription};
use crate::unpack;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tetherscope_loader::{CameraFormat, abi, now_ns};

/// Time from picture to picture: 40 a second are more than anybody sees.
const PACE: Duration = Duration::from_millis(25);
/// How long it sleeps without a frame.
const LOOK_ROUND: Duration = Duration::from_millis(500);

/// Starts the thread; it ends with the ring's frames.
pub(crate) fn start(
    subscription: Subscription,
    format: CameraFormat,
    hub: Arc<Hub>,
    meters: Arc<Meters>,
) -> Result<JoinHandle<()>, RunError> {
    let run = move || run(subscription, &format, &hub, &meters);
    std::thread::Builder::new()
        .name("display".into())
        .spawn(run)
        .map_err(|e| RunError::refused("cannot start the display's thread", e.to_string(), "close other programs"))
}

fn run(mut subscription: Subscription, format: &CameraFormat, hub: &Hub, meters: &Meters) {
    loop {
        let frame = match subscription.next(LOOK_ROUND) {
            Next::Frame(frame) => frame,
            Next::TimedOut => continue,
            Next::Ended => return,
        };
        let begun = Instant::now();
        if hub.take_picture_wanted() {
            hub.show(picture(&frame, format));
            meters.to_picture.note(now_ns() - frame.arrival_ns());
        }
        drop(frame);
        std::thread::sleep(PACE.saturating_sub(begun.elapsed()));
    }
}

/// A frame as people and finders see it.
pub(crate) fn picture(frame: &Frame, format: &CameraFormat) -> Picture {
    let (w, h) = (format.width_px as usize, format.height_px as usize);
    let pixels = if unpack::is_needed(format) {
        let mut pixels = vec![0; w * h];
        unpack::unpack_serially(format, frame.payload(), &mut pixels);
        PicturePixels::U16(pixels)
    } else {
        let grid = PixelGrid::new(format, false);
        let image = &frame.payload()[format.image_offset_bytes as usize..];
        let rows = (0..h).map(|y| &image[y * grid.row_stride_bytes..][..w * grid.bytes_per_px]);
        if format.pixel_format == abi::PIXEL_MONO8 {
            PicturePixels::U8(rows.flatten().copied().collect())
        } else {
            let pairs = rows.flat_map(|row| row.as_chunks::<2>().0);
            PicturePixels::U16(pairs.map(|b| u16::from_ne_bytes(*b)).collect())
        }
    };
    Picture {
        frame: frame.index(),
        width_px: format.width_px,
        height_px: format.height_px,
        significant_bits: format.significant_bits,
        pixels,
    }
}
