//! The window without a display: what clicks, keys and the mouse over the picture ask of the engine, and what is seen.

use super::*;
use crate::gui::easel::Easel;
use crate::gui::still::{Bench, folder, no};
use crate::gui::theme::Look;
use iced::advanced::mouse;
use iced::{Event, Point, Size};
use tetherscope_core::control::{
    Answer, BeadRole, BeadsCommand, CameraCommand, DataMode, EventKind, MethodChoice, NewRoi, ParameterText,
    RecordingCommand, SweepCommand, SweepPhase, SweepView, TableView, TrackingCommand, ZlutCommand,
};

fn to(at: Point) -> Event {
    Event::Mouse(mouse::Event::CursorMoved { position: at })
}

const PRESS: Event = Event::Mouse(mouse::Event::ButtonPressed(mouse::Button::Left));
const RELEASE: Event = Event::Mouse(mouse::Event::ButtonReleased(mouse::Button::Left));
const RIGHT: Event = Event::Mouse(mouse::Event::ButtonPressed(mouse::Button::Right));

/// Commands about beads, without the questions for profiles that follow a selection.
fn beads(bench: &mut Bench) -> Vec<BeadsCommand> {
    let sent = bench.sent();
    sent.into_iter().filter_map(|c| if let Command::Beads(b) = c { Some(b) } else { None }).collect()
}

fn key(c: &str, modifiers: Modifiers) -> Message {
    named(Key::Character(c.into()), modifiers)
}

fn named(key: Key, modifiers: Modifiers) -> Message {
    Message::Key(keyboard::Event::KeyPressed {
        key: key.clone(),
        modified_key: key,
        physical_key: keyboard::key::Physical::Unidentified(keyboard::key::NativeCode::Unidentified),
        location: keyboard::Location::Standard,
        modifiers,
        text: None,
        repeat: false,
    })
}

#[test]
fn a_click_on_the_picture_adds_a_bead_there_and_undo_removes_it() {
    let mut bench = Bench::new();
    let at = bench.place(300.0, 450.0);
    bench.events([to(at), PRESS, RELEASE]);
    let added = beads(&mut bench);
    assert!(
        matches!(&added[..], [BeadsCommand::Add { rois }] if (rois[0].x_px - 276).abs() <= 1 && rois[0].y_px == 426),
        "{added:?}"
    );
    bench.answer(Ok(Answer::Beads(vec![12])));
    bench.tell(key("z", Modifiers::COMMAND));
    assert_eq!(beads(&mut bench), [BeadsCommand::Remove { beads: vec![12] }]);
}

#[test]
fn a_bead_that_comes_back_by_undo_has_a_new_id_and_can_be_moved_back_too() {
    let mut bench = Bench::new();
    let at = bench.place(65.0, 65.0);
    bench.events([to(at), PRESS, to(Point::new(at.x + 30.0, at.y)), to(Point::new(at.x + 50.0, at.y)), RELEASE]);
    let moved = beads(&mut bench);
    let [BeadsCommand::Move { moves }] = &moved[..] else { panic!("{moved:?}") };
    let (bead, place) = moves[0];
    assert!(bead == 0 && place.x_px > 70 && place.y_px == 40, "{moves:?}");
    bench.answer(Ok(Answer::Done { from_frame: Some(1) }));
    bench.events([to(at), RIGHT]);
    assert_eq!(beads(&mut bench), [BeadsCommand::Remove { beads: vec![0] }]);
    bench.answer(Ok(Answer::Done { from_frame: Some(2) }));
    bench.tell(key("z", Modifiers::COMMAND));
    assert_eq!(beads(&mut bench), [BeadsCommand::Add { rois: vec![NewRoi { x_px: 40, y_px: 40 }] }]);
    bench.answer(Ok(Answer::Beads(vec![12])));
    bench.tell(key("z", Modifiers::COMMAND));
    assert_eq!(beads(&mut bench), [BeadsCommand::Move { moves: vec![(12, NewRoi { x_px: 40, y_px: 40 })] }]);
}

#[test]
fn a_box_selects_the_beads_whose_middle_is_in_it_and_delete_removes_them() {
    let mut bench = Bench::new();
    bench.events([Event::Keyboard(keyboard::Event::ModifiersChanged(Modifiers::SHIFT))]);
    let (a, b) = (bench.place(5.0, 5.0), bench.place(300.0, 110.0));
    let shift = Event::Keyboard(keyboard::Event::ModifiersChanged(Modifiers::SHIFT));
    bench.events([shift, to(a), PRESS, to(b), RELEASE]);
    bench.sent();
    bench.tell(named(Key::Named(Named::Delete), Modifiers::default()));
    assert_eq!(beads(&mut bench), [BeadsCommand::Remove { beads: vec![0, 1] }]);
}

#[test]
fn many_wheel_events_between_two_views_all_count() {
    let mut bench = Bench::new();
    let at = bench.place(320.0, 240.0);
    let wheel = Event::Mouse(mouse::Event::WheelScrolled { delta: mouse::ScrollDelta::Lines { x: 0.0, y: 1.0 } });
    let all: Vec<Event> = std::iter::once(to(at)).chain(std::iter::repeat_n(wheel, 12)).collect();
    let fit = bench.app.live.look(bench.app.context()).transform;
    assert_eq!(fit, None);
    bench.events(all);
    let zoom = bench.app.live.look(bench.app.context()).transform.unwrap().zoom;
    let one = (bench.place(1.0, 0.0).x - bench.place(0.0, 0.0).x) * 1.25_f32.powi(12);
    assert!((zoom / one - 1.0).abs() < 0.02 || zoom == 64.0, "{zoom} against {one}");
}

#[test]
fn a_click_in_the_table_selects_a_bead_and_asks_for_its_profile() {
    let mut bench = Bench::new();
    bench.click("3");
    bench.set(|_| {});
    let asked = bench.sent();
    assert!(asked.contains(&Command::Tracking(TrackingCommand::AskProfile { bead: 3 })), "{asked:?}");
    bench.set(|_| {});
    assert!(bench.sent().is_empty(), "one question at a time");
}

#[test]
fn the_key_r_makes_the_selected_bead_the_reference_and_releases_the_one_before() {
    let mut bench = Bench::new();
    bench.click("3");
    bench.sent();
    bench.tell(key("r", Modifiers::default()));
    let role = |bead, role| BeadsCommand::SetRole { bead, role };
    assert_eq!(beads(&mut bench), [role(0, BeadRole::Bead), role(3, BeadRole::Reference)]);
}

#[test]
fn rows_are_shown_relative_to_the_reference() {
    let bench = Bench::new();
    // Bead 2 lies 300 px to the right of bead 0, which is the reference: 30,000 nm.
    assert!(bench.sees("30000.0"));
}

#[test]
fn record_starts_a_recording_in_the_folder_of_the_settings() {
    let mut bench = Bench::new();
    bench.click("Record");
    let sent = bench.sent();
    let [Command::Recording(RecordingCommand::Start(request))] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(request.folder, folder());
    assert!(folder().is_dir(), "it is made when it is needed");
    bench.answer(Err(no()));
    assert!(bench.sees("cannot do it") || bench.sees("the cause"), "a refusal is told");
    bench.set(|s| s.recording.state = RecordingState::On);
    assert!(bench.sees("RECORDING"));
    bench.click("Stop recording");
    assert_eq!(bench.sent(), [Command::Recording(RecordingCommand::Stop)]);
}

#[test]
fn beads_that_a_rig_wants_found_are_shown_before_they_are_taken() {
    let mut bench = Bench::of_rig(
        "version = 1\n[camera]\nmethod = \"camera.sim\"\n[optics]\nnm_per_px = 100.0\n[beads]\nroi_px = 50\n\
         [beads.find]\nmethod = \"finder.ncc\"\n[tracker]\nmethod = \"tracker.quadrant\"\n",
    );
    let sent = bench.sent();
    let place = |is_it: fn(&Command) -> bool| sent.iter().position(is_it).unwrap_or_else(|| panic!("{sent:?}"));
    let started = place(|c| matches!(c, Command::Camera(CameraCommand::Start)));
    let asked = place(|c| matches!(c, Command::Beads(BeadsCommand::Find { .. })));
    assert!(started < asked, "a finder looks at a frame");
    assert!(bench.sees("looking…"));
    let roi = Some(NewRoi { x_px: 300, y_px: 400 });
    let hit = tetherscope_core::control::FoundBead { x_px: 325.0, y_px: 425.0, score: 0.9, flags: 0, roi };
    bench.answer_to(asked as u64, Ok(Answer::Found(vec![hit])));
    assert!(bench.sees("1 found, 1 of them pass and are new"));
    assert!(beads(&mut bench).is_empty(), "nothing is taken unasked");
    bench.click("Take 1 bead");
    assert_eq!(beads(&mut bench), [BeadsCommand::Add { rois: vec![NewRoi { x_px: 300, y_px: 400 }] }]);
}

#[test]
fn a_frame_that_a_finder_no_longer_wanted_is_no_loss_in_the_bar() {
    let mut bench = Bench::new();
    bench.set(|s| {
        s.ledger.stages[0].dropped.clear();
        s.ledger.stages[1].dropped =
            vec![tetherscope_core::control::DropCount { reason: "user_stop".into(), count: 1 }];
    });
    assert!(bench.sees("none dropped"));
    bench.click("Recordings");
    assert!(bench.sees("1 user stop"));
}

#[test]
fn a_recording_without_beads_says_that_nothing_is_recorded() {
    let mut bench = Bench::new();
    let says = "no beads, so nothing is recorded";
    bench.set(|s| s.recording.state = RecordingState::On);
    assert!(!bench.sees(says));
    bench.set(|s| s.beads.clear());
    assert!(bench.sees(says));
    bench.set(|s| s.tracking.mode = DataMode::TrackAndFullVideo);
    assert!(!bench.sees(says), "frames are");
}

#[test]
fn beads_that_were_found_and_taken_are_shown_in_the_table() {
    let mut bench = Bench::new();
    bench.click("Find");
    bench.tell(Message::Live(live::Message::Find(live::FindMessage::Choose("finder.ncc".into()))));
    bench.click("Look for beads");
    let roi = Some(NewRoi { x_px: 300, y_px: 400 });
    let hit = tetherscope_core::control::FoundBead { x_px: 325.0, y_px: 425.0, score: 0.9, flags: 0, roi };
    bench.answer(Ok(Answer::Found(vec![hit])));
    bench.click("Take 1 bead");
    bench.answer(Ok(Answer::Beads(vec![12])));
    assert!(bench.sees("12 of 12 beads"));
}

#[test]
fn without_a_running_camera_record_cannot_be_pressed() {
    let mut bench = Bench::new();
    bench.set(|s| s.camera.state = CameraState::Open);
    bench.click("Record");
    assert!(bench.sent().is_empty());
}

#[test]
fn lost_frames_stand_in_the_bar_and_their_warning_stays_until_it_is_read() {
    let mut bench = Bench::new();
    assert!(bench.sees("dropped in camera: 3 camera gap"));
    assert!(bench.sees("3 frames were dropped in camera: camera gap"));
    bench.click("✕");
    assert_eq!(bench.sent(), [Command::Engine(EngineCommand::Acknowledge { warning: 1 })]);
    bench.set(|_| {});
    assert!(bench.sees("3 frames were dropped in camera: camera gap"), "the engine says when it was read");
    bench.set(|s| s.warnings.clear());
    assert!(!bench.sees("3 frames were dropped in camera: camera gap"));
}

#[test]
fn closing_asks_while_something_is_recorded() {
    let mut bench = Bench::new();
    bench.set(|s| s.recording.state = RecordingState::On);
    bench.sent();
    bench.tell(Message::Close);
    assert!(bench.sees("Something is being recorded"));
    assert!(bench.sent().is_empty());
    bench.click("Go on recording");
    assert!(!bench.sees("Something is being recorded"));
    bench.tell(Message::Close);
    bench.click("Stop recording and close");
    assert_eq!(bench.sent(), [Command::Engine(EngineCommand::Shutdown)]);
}

#[test]
fn closing_ends_the_engine_at_once_when_nothing_is_recorded() {
    let mut bench = Bench::new();
    bench.tell(Message::Close);
    bench.tell(Message::Close);
    assert_eq!(bench.sent(), [Command::Engine(EngineCommand::Shutdown)]);
}

#[test]
fn a_setting_of_the_camera_is_sent_refused_at_its_field_and_read_back() {
    let mut bench = Bench::new();
    bench.click("Camera");
    bench.type_into("field-exposure_ms", "5");
    bench.click("set");
    let set = |text: &str| {
        let values = ParameterText::from([("exposure_ms".to_owned(), text.to_owned())]);
        Command::Camera(CameraCommand::Set { values })
    };
    assert_eq!(bench.sent(), [set("85")]);
    bench.answer(Err(no()));
    assert!(bench.sees("the cause; the mend"), "a refusal stands at its field");
    bench.click("set");
    bench.sent();
    bench.set(|s| s.camera.settings[0].value = 84.9.into());
    bench.answer(Ok(Answer::Settings(Vec::new())));
    assert!(bench.sees("asked for 85, it is 84.9"));
}

/// Settings of a camera with thirty of every kind, as the engine tells of them; a test of the engine keeps the file.
fn thirty() -> Vec<tetherscope_core::control::SettingView> {
    serde_json::from_str(include_str!("../widget/form/thirty.json")).unwrap()
}

fn camera_form(message: crate::gui::widget::form::FormMessage) -> Message {
    Message::Live(live::Message::Camera(crate::gui::screen::camera::Message::Form(message)))
}

#[test]
fn a_form_of_thirty_settings_shows_units_marks_and_experts_on_request() {
    let mut bench = Bench::new();
    bench.set(|s| s.camera.settings = thirty());
    bench.click("Camera");
    assert!(bench.sees("exposure") && bench.sees("ms") && bench.sees("temperature c") && bench.sees("°C"));
    assert!(bench.sees("read only") && bench.sees("restarts the camera") && bench.sees("needs a new Z-LUT"));
    assert!(bench.sees("stop to change"), "what is idle says so while the camera runs");
    assert!(!bench.sees("slope 1"));
    bench.tell(camera_form(crate::gui::widget::form::FormMessage::Expert(true)));
    assert!(bench.sees("slope 1") && bench.sees("1/K") && bench.sees("remark 14"));
    bench.set(|s| s.camera.state = CameraState::Open);
    assert!(bench.sees("only when stopped") && !bench.sees("stop to change"));
}

#[test]
fn numbers_of_a_form_go_by_steps_and_what_the_device_makes_of_them_is_seen() {
    let mut bench = Bench::new();
    bench.set(|s| s.camera.settings = thirty());
    bench.click("Camera");
    // The exposure comes first.
    bench.click("+");
    let set = |key: &str, text: &str| {
        let values = ParameterText::from([(key.to_owned(), text.to_owned())]);
        Command::Camera(CameraCommand::Set { values })
    };
    assert_eq!(bench.sent(), [set("exposure_ms", "10.25")]);
    bench.answer(Ok(Answer::Settings(Vec::new())));
    bench.tell(camera_form(crate::gui::widget::form::FormMessage::Typed("exposure_ms".into(), "12.6".into())));
    bench.click("set");
    assert_eq!(bench.sent(), [set("exposure_ms", "12.6")]);
    bench.set(|s| s.camera.settings[0].value = 12.5.into());
    bench.answer(Ok(Answer::Settings(Vec::new())));
    assert!(bench.sees("asked for 12.6, it is 12.5"));
}

#[test]
fn a_value_that_the_schema_or_the_device_refuses_stands_at_its_field_with_the_reason() {
    let mut bench = Bench::new();
    bench.set(|s| s.camera.settings = thirty());
    bench.click("Camera");
    let typed = |key: &str, text: &str| {
        camera_form(crate::gui::widget::form::FormMessage::Typed(key.to_owned(), text.to_owned()))
    };
    let submitted = |key: &str| camera_form(crate::gui::widget::form::FormMessage::Submitted(key.to_owned()));
    bench.tell(typed("gain", "99"));
    bench.tell(submitted("gain"));
    assert!(bench.sent().is_empty() && bench.sees("99 is not allowed; 1 to 16 is"));
    bench.tell(typed("gain", "8"));
    bench.tell(submitted("gain"));
    assert_eq!(bench.sent().len(), 1);
    bench.answer(Err(no()));
    assert!(bench.sees("the cause; the mend"));
    bench.set(|_| {});
    assert!(bench.sees("the cause; the mend"), "it stays until something else is typed");
    bench.tell(typed("gain", "2"));
    assert!(!bench.sees("the cause; the mend"));
}

#[test]
fn searching_for_beads_can_be_ended() {
    let mut bench = Bench::new();
    bench.click("Find");
    bench.tell(Message::Live(live::Message::Find(live::FindMessage::Choose("finder.ncc".into()))));
    bench.click("Look for beads");
    assert!(matches!(&beads(&mut bench)[..], [BeadsCommand::Find { .. }]));
    bench.click("Cancel");
    assert_eq!(beads(&mut bench), [BeadsCommand::CancelFind]);
}

#[test]
fn a_tracker_is_changed_with_all_its_parameters_while_frames_come() {
    let mut bench = Bench::new();
    bench.click("Tracking");
    bench.click("+");
    let parameters = ParameterText::from([("iterations".to_owned(), "6".to_owned())]);
    let tracker = MethodChoice { method: "tracker.quadrant#0123456789abcdef".into(), parameters };
    assert_eq!(bench.sent(), [Command::Tracking(TrackingCommand::SetTracker { tracker })]);
}

#[test]
fn a_zlut_is_loaded_by_its_path_and_unloaded() {
    let mut bench = Bench::new();
    bench.click("Z-LUT");
    bench.type_into("zlut-path", "/data/a.zlut");
    bench.click("Load");
    let load = ZlutCommand::Load { path: "/data/a.zlut".into(), strategy: None };
    assert_eq!(bench.sent(), [Command::Zlut(load)]);
    bench.click("Unload");
    assert!(bench.sent().is_empty(), "none is in use");
}

#[test]
fn a_sweep_says_what_is_missing_and_what_becomes_of_its_tables() {
    let mut bench = Bench::new();
    bench.tell(key("2", Modifiers::COMMAND));
    assert!(bench.sees("first: open a stage with a focus axis"));
    bench.click("Start sweep");
    assert!(bench.sent().is_empty());
    bench.set(|s| {
        s.sweep = SweepView { phase: SweepPhase::Capturing, steps: 61, frames: 610, ..SweepView::default() };
    });
    bench.click("Cancel");
    assert_eq!(bench.sent(), [Command::Sweep(SweepCommand::Cancel)]);
    let table = TableView {
        bead: Some(4),
        n_planes: 61,
        n_bins: 96,
        z_min_nm: -3000.0,
        z_max_nm: 3000.0,
        verdict: "bias up to 0.3 nm".into(),
    };
    bench.set(|s| s.sweep = SweepView { phase: SweepPhase::Done, tables: vec![table], ..SweepView::default() });
    assert!(bench.sees("bias up to 0.3 nm"));
    bench.click("Use");
    let which = tetherscope_core::control::SweepWhich::PerBead;
    assert_eq!(bench.sent(), [Command::Sweep(SweepCommand::Use { which })]);
}

#[test]
fn every_event_and_every_dropped_frame_is_listed() {
    let mut bench = Bench::new();
    bench.click("Recordings");
    assert!(bench.sees("note: buffer exchanged") && bench.sees("every frame is accounted for"));
    bench.set(|s| s.ledger.unexplained = 2);
    assert!(bench.sees("2 frames are not accounted for: report this"));
    bench.type_into("note", "x");
    bench.click("Add note");
    assert_eq!(bench.sent(), [Command::Recording(RecordingCommand::Note { text: "x".into() })]);
}

#[test]
fn a_long_event_ends_before_the_scroll_bar_of_its_list() {
    let mut bench = Bench::new();
    bench.click("Recordings");
    let long = format!("note: {}", "one word after the other ".repeat(30).trim_end());
    let note = EventKind::Note { text: long.trim_start_matches("note: ").to_owned() };
    let event = bench.snapshot().events[0].clone();
    bench.set(|s| {
        s.events = (0..80).map(|number| control::Event { number, kind: note.clone(), ..event.clone() }).collect()
    });
    // Padding of screen and panel, and the bar.
    let right = 1480.0 - 10.0 - 12.0 - 10.0;
    let line = bench.bounds(&long);
    assert!(line.x + line.width <= right && line.height > 30.0, "{line:?}");
}

#[test]
fn a_second_window_that_comes_late_shows_the_same_from_one_snapshot() {
    let mut early = Bench::new();
    early.set(|s| s.beads.truncate(5));
    let late = early.beside();
    let mut easel = Easel::new().unwrap();
    let size = Size::new(1200.0, 800.0);
    assert!(easel.draw(&early.app, size).rgba == Easel::new().unwrap().draw(&late.app, size).rgba);
}

#[test]
fn shortcuts_are_listed_and_escape_closes_the_list() {
    let mut bench = Bench::new();
    bench.tell(named(Key::Named(Named::F1), Modifiers::default()));
    assert!(bench.sees("Shortcuts") && bench.sees("start or stop recording"));
    bench.tell(named(Key::Named(Named::Escape), Modifiers::default()));
    assert!(!bench.sees("start or stop recording"));
}

#[test]
fn every_screen_is_drawn_in_every_theme_and_the_picture_is_in_it() {
    let mut bench = Bench::new();
    bench.click("3");
    let size = Size::new(1480.0, 940.0);
    let keep = std::env::var_os("TETHERSCOPE_GUI_PICTURES").map(PathBuf::from);
    for look in [Look::Dark, Look::Light, Look::HighContrast] {
        bench.tell(Message::Settings(settings::Message::Look(look)));
        for (i, screen) in
            [Screen::Live, Screen::Zlut, Screen::Recordings, Screen::Plugins, Screen::Settings].into_iter().enumerate()
        {
            bench.tell(Message::Go(screen));
            let drawn = Easel::new().unwrap().draw(&bench.app, size);
            let colors: std::collections::HashSet<&[u8]> = drawn.rgba.chunks_exact(4).collect();
            assert!(colors.len() > 20, "{look} {screen:?} has {} colours", colors.len());
            if screen == Screen::Live {
                let at = bench.place(65.0, 65.0);
                let pixel = &drawn.rgba[4 * (at.y as usize * drawn.width as usize + at.x as usize)..][..3];
                assert!(pixel.iter().all(|v| *v > 200), "the middle of bead 0 is bright: {pixel:?}");
            }
            if let Some(folder) = &keep {
                let rgb: Vec<u8> = drawn.rgba.chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect();
                let path = folder.join(format!("{i}-{}.png", look.name().replace(' ', "-")));
                let _ = std::fs::remove_file(&path);
                tetherscope_files::write_png(path, drawn.width, drawn.height, &rgb).unwrap();
            }
        }
    }
}
