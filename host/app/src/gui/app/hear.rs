//! What the engine tells the window: a thread waits for it and hands over all that came, and nothing more before the window
//! has taken that. However long the window stalls, nothing piles up here: the engine keeps its newest events itself.

use super::{App, Asked, Message};
use crate::gui::job;
use crate::gui::link::{FormId, Link};
use crate::gui::notices::Weight;
use crate::gui::screen::Context;
use crate::gui::words;
use iced::Task;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tetherscope_core::control::{self, Answer, EventKind, Refusal};

/// Most often that a new snapshot is taken over.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// News goes by itself, so somebody has to look now and then.
const LOOK_AT_LEAST_EVERY: Duration = Duration::from_secs(1);
/// While the window is busy, between two looks whether it still is.
const WAIT: Duration = Duration::from_millis(4);
/// Most messages at once.
const MOST: usize = 500;

/// Starts the thread. `busy` is true from a message to the window until it was taken.
pub(super) fn start(link: Arc<dyn Link>, busy: Arc<AtomicBool>) -> Task<Message> {
    job::start("window", move |tell| {
        let (mut revision, mut looked) = (link.snapshot().revision, Instant::now());
        loop {
            while busy.load(Ordering::Acquire) {
                std::thread::sleep(WAIT);
            }
            let mut heard: Vec<control::Message> = link.next_message(LOOK_EVERY).into_iter().collect();
            if !heard.is_empty() {
                heard.extend(std::iter::from_fn(|| link.next_message(Duration::ZERO)).take(MOST));
            }
            let newest = link.snapshot().revision;
            let changed = newest != revision && looked.elapsed() >= LOOK_EVERY;
            if !heard.is_empty() || changed || looked.elapsed() >= LOOK_AT_LEAST_EVERY {
                (revision, looked) = (newest, Instant::now());
                busy.store(true, Ordering::Release);
                if !tell.tell(Message::Heard(Arc::new(heard))) {
                    return;
                }
            }
        }
    })
}

impl App {
    /// A reply goes to who asked; of events only failures of plugins are remembered: the snapshot has the rest.
    pub(super) fn hear(&mut self, heard: &[control::Message]) -> Task<Message> {
        self.busy.store(false, Ordering::Release);
        // What replies speak of stands in the newest snapshot. It is looked at once for all of them, before them: a screen that
        // asks again and again asks with the next look, not as fast as the engine answers.
        let mut tasks = vec![self.look()];
        for message in heard {
            match message {
                control::Message::Event(event) => {
                    // Where things went is good to know at once.
                    if matches!(event.kind, EventKind::RecordingStopped { .. } | EventKind::Captured { .. }) {
                        self.notices.tell(Weight::News, words::event(&event.kind), Instant::now());
                    }
                    if let EventKind::PluginFailed { failure, .. } = &event.kind {
                        let method = failure.thing.split_whitespace().next().unwrap_or_default().to_owned();
                        self.crashes.insert(method, failure.to_string());
                    }
                }
                control::Message::Reply(reply) => {
                    let asked = self.asked.remove(&reply.request).unwrap_or(Asked::Nothing);
                    tasks.push(self.on_reply(asked, &reply.result));
                }
            }
        }
        Task::batch(tasks)
    }

    fn on_reply(&mut self, asked: Asked, result: &Result<Answer, Refusal>) -> Task<Message> {
        if let Err(why) = result
            && !matches!(asked, Asked::Profile | Asked::Found | Asked::Field(..) | Asked::End)
        {
            self.notices.tell(Weight::Error, why.to_string(), Instant::now());
        }
        match (asked, result) {
            (Asked::Say(text), Ok(answer)) => {
                let path = if let Answer::Path(p) = answer { format!("\n{}", p.display()) } else { String::new() };
                self.notices.tell(Weight::News, format!("{text}{path}"), Instant::now());
                let act = self.zlut.on_path(result);
                self.act(act.into_iter().collect(), Message::Zlut)
            }
            (Asked::Field(form, key), result) => {
                let form = match form {
                    FormId::Camera => &mut self.live.camera.form,
                    FormId::Tracker => &mut self.live.tracker.form,
                    FormId::Strategy => &mut self.zlut.form,
                };
                match result {
                    Ok(_) => form.accepted(&key),
                    Err(why) => form.refuse(&key, format!("{}; {}", why.cause, why.mend)),
                }
                Task::none()
            }
            (Asked::End, _) => iced::exit(),
            (asked, result) => {
                let context = Context {
                    snapshot: &self.snapshot,
                    registry: &self.registry,
                    look: self.preferences.look,
                    scale: self.window_scale * self.preferences.zoom,
                    period: Duration::from_millis(33),
                };
                self.live.on_reply(&asked, result, context);
                Task::none()
            }
        }
    }
}
