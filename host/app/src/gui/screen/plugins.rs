//! The screen Plugins: what was found, what was refused and how to mend it, where each runs, and what the checks say of it.

use super::scrolled;
use crate::gui::job::{self, Tell};
use crate::gui::link::Act;
use crate::gui::theme;
use iced::widget::{button, column, container, row, space, text};
use iced::{Alignment, Element, Length};
use std::collections::BTreeMap;
use tetherscope_check::{Options, Outcome, check_component};
use tetherscope_core::loader::{Component, Crash, Registry};

/// What the screen remembers: the checks that were made, by the component's label.
#[derive(Debug, Default)]
pub(crate) struct State {
    checks: BTreeMap<String, Checks>,
    open: Option<String>,
}

/// Checks of one component.
#[derive(Debug, Default)]
struct Checks {
    running: bool,
    findings: Vec<(&'static str, Outcome)>,
}

/// What happened.
#[derive(Debug, Clone)]
pub(crate) enum Message {
    /// The user wants this component checked.
    Check(String),
    /// The user wants to see more of it, or less.
    Open(String),
    /// A check has ended.
    Found(String, &'static str, Outcome),
    /// All checks have ended.
    Checked(String),
}

impl State {
    /// Takes a message. Checks run in processes of their own; the camera that is in use isn't checked while it runs.
    pub(crate) fn update(&mut self, message: Message, registry: &Registry) -> Option<Act<Message>> {
        match message {
            Message::Open(label) => self.open = if self.open.as_ref() == Some(&label) { None } else { Some(label) },
            Message::Found(label, check, outcome) => {
                self.checks.entry(label).or_default().findings.push((check, outcome));
            }
            Message::Checked(label) => self.checks.entry(label).or_default().running = false,
            Message::Check(label) => {
                let found = registry.components().iter().find(|c| label_of(c) == label);
                let component = found.cloned()?;
                self.checks.insert(label.clone(), Checks { running: true, findings: Vec::new() });
                self.open = Some(label.clone());
                return Some(Act::Run(job::start("check", move |tell: Tell<Message>| {
                    check_component(&component, &Options::default(), |f| {
                        tell.tell(Message::Found(label.clone(), f.check.name, f.outcome.clone()));
                    });
                    tell.tell(Message::Checked(label));
                })));
            }
        }
        None
    }

    /// The screen. `crashes` tells the last crash or hang of a method by its id.
    pub(crate) fn view<'a>(
        &'a self,
        registry: &'a Registry,
        crashes: &'a BTreeMap<String, String>,
    ) -> Element<'a, Message> {
        let mut list = column![].spacing(8).padding(12);
        let n_refused = registry.refused().len();
        list = list.push(
            text(format!("{} methods were found, {n_refused} files were refused", registry.components().len()))
                .size(16),
        );
        for r in registry.refused() {
            let lines = column![text("refused").size(12).style(text::danger), text(r.error.to_string()).size(13)];
            list = list.push(container(lines).padding(8).width(Length::Fill).style(theme::error));
        }
        for c in registry.crashes() {
            list =
                list.push(container(text(c.to_string()).size(13)).padding(8).width(Length::Fill).style(theme::warning));
        }
        for n in registry.notes() {
            let lines = column![text(n.text.clone()).size(13), text(n.path.display().to_string()).size(12)];
            list = list.push(container(lines).padding(8).width(Length::Fill).style(theme::warning));
        }
        let mut components: Vec<&Component> = registry.components().iter().collect();
        components.sort_by_key(|c| (c.info().kind, c.info().id.clone(), c.info().version.clone()));
        list = list.extend(components.into_iter().map(|c| {
            let held = registry.crashes().iter().find(|crash| crash.hash() == c.hash());
            self.card(c, crashes.get(&c.info().id), held)
        }));
        scrolled(list).height(Length::Fill).width(Length::Fill).into()
    }

    /// `held`: what is held against its library from another start.
    fn card<'a>(&'a self, c: &'a Component, crash: Option<&'a String>, held: Option<&Crash>) -> Element<'a, Message> {
        let (info, label) = (c.info(), label_of(c));
        let checks = self.checks.get(&label);
        let open = self.open.as_ref() == Some(&label);
        let place = if c.is_isolated() { "in a process of its own" } else { "in this process" };
        let more = button(text(if open { "less" } else { "more" }).size(13)).style(theme::quiet);
        let running = checks.is_some_and(|c| c.running);
        let check = button(text(if running { "checking…" } else { "check" }).size(13)).style(theme::quiet);
        let head = row![
            text(&info.id).size(15),
            text(info.version.to_string()).size(13),
            text(&info.name).size(13).style(text::secondary),
            space().width(Length::Fill),
            text(place).size(13),
            summary(checks),
            check.on_press_maybe((!running).then(|| Message::Check(label.clone()))),
            more.on_press(Message::Open(label.clone())),
        ]
        .spacing(10)
        .align_y(Alignment::Center);
        let mut lines = column![head].spacing(4);
        if let Some(crash) = crash {
            lines =
                lines.push(text(format!("last failure: {}", crash.replace('\n', "; "))).size(13).style(text::danger));
        }
        if let Some(held) = held {
            let why = format!("in a process of its own, because {}; {}", held.cause(), held.mend());
            lines = lines.push(text(why).size(13).style(text::warning));
        }
        if open {
            let about = [
                info.summary.clone(),
                format!("source: {}   licence: {}", info.source, info.licence),
                format!("file: {}", c.path().display()),
                format!("layout: {}", c.layout_check()),
            ];
            lines = lines.extend(about.into_iter().filter(|l| !l.is_empty()).map(|l| text(l).size(13).into()));
            for (name, outcome) in checks.iter().flat_map(|c| &c.findings) {
                let line = format!("{} {name} {}", outcome.word(), outcome.seen());
                let style = if outcome.is_failure() { text::danger } else { text::default };
                lines = lines.push(text(line).size(13).style(style));
            }
        }
        container(lines).padding(8).width(Length::Fill).style(theme::panel).into()
    }
}

fn label_of(c: &Component) -> String {
    format!("{}#{}", c.label(), &c.hash()[..8])
}

fn summary<'a>(checks: Option<&Checks>) -> Element<'a, Message> {
    let Some(checks) = checks else { return text("not checked").size(13).style(text::secondary).into() };
    let n_bad = checks.findings.iter().filter(|(_, o)| o.is_failure()).count();
    let n_warned = checks.findings.iter().filter(|(_, o)| matches!(o, Outcome::Warning(_))).count();
    let n = checks.findings.len();
    if n_bad > 0 {
        text(format!("{n_bad} of {n} checks failed")).size(13).style(text::danger).into()
    } else if n_warned > 0 {
        text(format!("{n} checks, {n_warned} with a warning")).size(13).style(text::warning).into()
    } else {
        text(format!("{n} checks passed")).size(13).style(text::success).into()
    }
}
