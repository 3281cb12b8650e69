//! Cameras: frames, as they come: whole, inside their slots, in order, with channels as declared.

use super::{Running, some_frames};
use crate::checks::Check;
use crate::outcome::{Stop, Verdict, ensure};
use crate::slots::Frame;
use crate::subject::Subject;
use tetherscope_loader::{CameraFormat, Kind, abi};

pub(crate) const CHECKS: &[Check] = &[
    Check {
        name: "camera.whole-frames",
        kind: Kind::Camera,
        proves: "Every pixel of a frame is written, whatever stood in its slot before.",
        run: whole_frames,
    },
    Check {
        name: "camera.slot-bounds",
        kind: Kind::Camera,
        proves: "Nothing is written beyond a slot, and only lent slots are committed or given back.",
        run: slot_bounds,
    },
    Check {
        name: "camera.significant-bits",
        kind: Kind::Camera,
        proves: "No pixel is larger than the significant bits allow.",
        run: significant_bits,
    },
    Check {
        name: "camera.rising-ids",
        kind: Kind::Camera,
        proves: "The device's frame ids rise from frame to frame.",
        run: rising_ids,
    },
    Check {
        name: "camera.rising-times",
        kind: Kind::Camera,
        proves: "The device's times rise from frame to frame, if it has a clock.",
        run: rising_times,
    },
    Check {
        name: "camera.channels",
        kind: Kind::Camera,
        proves: "Every frame brings as many channel values as the channels declare, and the format counts them right.",
        run: channels,
    },
    Check {
        name: "camera.slots-given-back",
        kind: Kind::Camera,
        proves: "After stop no slot is lent any more.",
        run: slots_given_back,
    },
    Check {
        name: "camera.lossless",
        kind: Kind::Camera,
        proves: "Offline, with slots that are slow to become free, no frame is lost.",
        run: lossless,
    },
    Check {
        name: "camera.end-of-data",
        kind: Kind::Camera,
        proves: "A source that announces its number of frames delivers so many, and tells its end once.",
        run: end_of_data,
    },
];

/// Frames that most checks look at.
const N: usize = 6;
/// Longest source that is played to its end.
const MOST_FRAMES: u64 = 2000;

fn is_whole(frame: &Frame) -> bool {
    frame.info.status == 0 && !frame.bytes.is_empty()
}

/// The bytes of the image of a frame, row by row.
fn rows<'a>(format: &CameraFormat, bytes: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let f = *format;
    let bits = u64::from(match f.pixel_format {
        abi::PIXEL_MONO8 => 8_u32,
        abi::PIXEL_MONO10P => 10,
        abi::PIXEL_MONO12P | abi::PIXEL_MONO12_PACKED => 12,
        _ => 16,
    });
    let row_bytes = (u64::from(f.width_px) * bits / 8) as usize;
    (0..f.height_px as usize).filter_map(move |y| {
        let from = f.image_offset_bytes as usize + y * f.row_stride_bytes as usize;
        bytes.get(from..from + row_bytes)
    })
}

fn whole_frames(subject: &Subject) -> Verdict {
    let done = some_frames(subject, N, true)?;
    let events = done.slots.events();
    let frames: Vec<&Frame> = events.frames.iter().filter(|f| is_whole(f)).collect();
    let [.., a, b] = frames[..] else {
        return Err(Stop::Skipped(format!("it delivers {} whole frames, two are needed", frames.len())));
    };
    for (y, (a_row, b_row)) in rows(&done.format, &a.bytes).zip(rows(&done.format, &b.bytes)).enumerate() {
        // A byte that is in both frames what the slot held before was not written, but for rare chance.
        let left = a_row.iter().zip(b_row).filter(|(p, q)| **p == a.fill && **q == b.fill).count();
        ensure!(left * 8 < a_row.len().max(8), "{left} of {} bytes of row {y} are not written", a_row.len());
    }
    Ok(())
}

fn slot_bounds(subject: &Subject) -> Verdict {
    let done = some_frames(subject, N, true)?;
    let events = done.slots.events();
    ensure!(events.wrong.is_empty(), "{}", events.wrong[0]);
    Ok(())
}

fn significant_bits(subject: &Subject) -> Verdict {
    let done = some_frames(subject, N, true)?;
    let f = &done.format;
    let wide = [abi::PIXEL_MONO10, abi::PIXEL_MONO12, abi::PIXEL_MONO14, abi::PIXEL_MONO16].contains(&f.pixel_format);
    if (!wide && f.pixel_format != abi::PIXEL_MONO8) || f.flags & abi::FORMAT_MSB_ALIGNED != 0 {
        return Err(Stop::Skipped("its pixels are packed, or lie in the high bits".into()));
    }
    let most = (1_u32 << f.significant_bits) - 1;
    let events = done.slots.events();
    for frame in events.frames.iter().filter(|f| is_whole(f)) {
        let largest = rows(f, &frame.bytes).map(|row| largest(row, wide)).max().unwrap_or(0);
        ensure!(largest <= most, "a pixel is {largest}, {} significant bits allow {most}", f.significant_bits);
    }
    Ok(())
}

fn largest(row: &[u8], wide: bool) -> u32 {
    if wide {
        row.as_chunks::<2>().0.iter().map(|b| u32::from(u16::from_ne_bytes(*b))).max().unwrap_or(0)
    } else {
        row.iter().copied().max().unwrap_or(0).into()
    }
}

fn rising_ids(subject: &Subject) -> Verdict {
    let done = some_frames(subject, 12, true)?;
    let bits = done.format.device_id_bits;
    let events = done.slots.events();
    let ids: Vec<u64> = events.frames.iter().map(|f| f.info.device_frame_id).collect();
    if bits == 0 {
        ensure!(ids.iter().all(|id| *id == abi::NO_DEVICE_FRAME_ID), "it announces no ids, and delivers {ids:?}");
        return Err(Stop::Skipped("it has no frame ids".into()));
    }
    let mask = if bits >= 64 { u64::MAX } else { (1 << bits) - 1 };
    for pair in ids.windows(2) {
        // Forwards by less than half of the circle, so that an id may wrap.
        let ahead = pair[1].wrapping_sub(pair[0]) & mask;
        ensure!(ahead > 0 && ahead <= mask / 2, "frame {} is followed by frame {}", pair[0], pair[1]);
    }
    Ok(())
}

fn rising_times(subject: &Subject) -> Verdict {
    let done = some_frames(subject, 12, true)?;
    if done.format.ns_per_tick <= 0.0 || done.format.ns_per_tick.is_nan() {
        return Err(Stop::Skipped("it has no clock".into()));
    }
    let events = done.slots.events();
    let times: Vec<i64> = events.frames.iter().map(|f| f.info.device_time_ticks).collect();
    let known = times.iter().filter(|t| **t != abi::NO_DEVICE_TIME).count();
    ensure!(
        known == times.len(),
        "it announces a clock, {} of {} frames have no time",
        times.len() - known,
        times.len()
    );
    for pair in times.windows(2) {
        ensure!(pair[1] > pair[0], "a frame at {} ticks is followed by one at {}", pair[0], pair[1]);
    }
    Ok(())
}

fn channels(subject: &Subject) -> Verdict {
    let done = some_frames(subject, N, true)?;
    let declared = done.camera.channels()?;
    let n: u64 = declared.iter().map(|c| u64::from(c.length)).sum();
    let counted = done.format.n_channel_values;
    ensure!(n == u64::from(counted), "its channels have {n} values, its format announces {counted}");
    let mut keys: Vec<&str> = declared.iter().map(|c| c.key.as_str()).collect();
    keys.sort_unstable();
    ensure!(
        keys.windows(2).all(|k| k[0] != k[1]) && !keys.contains(&""),
        "two channels have one name, or none: {keys:?}"
    );
    for frame in &done.slots.events().frames {
        ensure!(
            frame.channels.len() as u64 == n,
            "a frame brings {} channel values, {n} are declared",
            frame.channels.len()
        );
    }
    Ok(())
}

fn slots_given_back(subject: &Subject) -> Verdict {
    let running = Running::start(subject, true)?;
    running.run(2)?;
    running.stop()?;
    let lent = running.slots.events().n_lent();
    ensure!(lent == 0, "{lent} slots are still lent after stop");
    Ok(())
}

fn lossless(subject: &Subject) -> Verdict {
    let running = Running::start(subject, true)?;
    for k in 1..=4 {
        running.run(2 * k)?;
        running.slots.hold(true);
        let _ = running.camera.poll(super::POLL)?;
        running.slots.hold(false);
    }
    running.stop()?;
    let events = running.slots.events();
    ensure!(events.lost == 0, "{} frames are told as lost, though the host waits for each", events.lost);
    if running.format.device_id_bits > 0 {
        let ids: Vec<u64> = events.frames.iter().map(|f| f.info.device_frame_id).collect();
        let gap = ids.windows(2).find(|p| p[1] > p[0].wrapping_add(1));
        ensure!(
            gap.is_none(),
            "frames are missing without a word: {} is followed by {}",
            gap.unwrap_or(&[0, 0])[0],
            gap.unwrap_or(&[0, 0])[1]
        );
    }
    Ok(())
}

fn end_of_data(subject: &Subject) -> Verdict {
    let running = Running::start(subject, true)?;
    let f = running.format;
    if f.flags & abi::FORMAT_FINITE == 0 || f.n_frames == 0 || f.n_frames > MOST_FRAMES {
        return Err(Stop::Skipped("it announces no end, or one that is far".into()));
    }
    running.run(f.n_frames as usize)?;
    for _ in 0..4 {
        if running.slots.events().ended.is_none() {
            running.camera.poll(super::POLL)?;
        }
    }
    running.stop()?;
    let events = running.slots.events();
    let (came, announced) = (events.frames.len() as u64, f.n_frames);
    ensure!(came == announced, "{came} frames came, {announced} were announced");
    match &events.ended {
        Some((abi::ENDED_END_OF_DATA, _)) => Ok(()),
        Some((reason, text)) => Err(Stop::Failed(format!("it ended with reason {reason}: {text}"))),
        None => Err(Stop::Failed("it does not tell its end".into())),
    }
}
