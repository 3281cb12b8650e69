//! How everybody drives the running experiment: commands in, replies and events out, one snapshot for whoever comes late.
//!
//! A [`Client`] is what window, command line, protocols and remote programs hold; all are equal. It sends a [`Command`] and
//! gets a [`Reply`] with the same [`RequestId`]; it hears every [`Event`] in order; it looks at the [`Snapshot`] whenever it
//! likes. Everything here derives serde: a log of commands can be replayed, and a line of JSON is a command. Nothing here
//! knows a thread of the engine, a widget or a file format.

mod answer;
mod client;
mod command;
mod event;
mod health;
mod refusal;
mod snapshot;
mod sweep;
mod trace;

pub use answer::{Answer, FoundBead, ProfileAnswer, Reply};
pub use client::{Client, ClientId, Message, Picture, PicturePixels, RequestId};
pub(crate) use client::{Hub, Request};
pub use command::{
    BatchLimits, BeadRole, BeadsCommand, CameraCommand, Captured, Command, DataMode, EngineCommand, MethodChoice,
    NewRoi, ParameterText, RecordingCommand, RecordingRequest, StageCommand, TrackingCommand, ZlutCommand,
};
pub use event::{Event, EventKind, Severity};
pub use health::{DropCount, HealthView, LatencyView, LedgerView, StageLedger};
pub use refusal::{Refusal, RefusalKind};
pub(crate) use snapshot::nan_as_null_one;
pub use snapshot::{
    AxisView, BeadView, CameraState, CameraView, ConductView, FormatView, MethodView, NewestRow, RecordingState,
    RecordingView, SettingView, Snapshot, StageView, SweepPhase, SweepView, TableView, TrackingView, Warning, ZlutView,
};
pub use sweep::{SweepCommand, SweepPositions, SweepRequest, SweepWhich};
pub(crate) use trace::Traces;
pub use trace::{MinMax, Trace, TraceColumn, TraceQuery};
