//! The child's side: opens a library and does what the host asks, until the host has gone.
//!
//! `track` and `lookup` run on the thread that reads the requests. Jobs that can be given up run beside it, and each
//! device has a thread of its own (`devices`), since `stop` may come while another call runs.
#![allow(unsafe_code)]

mod devices;
mod out;
mod slots;
mod system;

pub(crate) use out::{pass_on, split_log, tell_host};

use super::arena::Arena;
use super::arrays;
use super::pod::bytes_of;
use super::request::{PartSizes, Request, WireError, WireSweep, from_pod, from_wire, pod};
use super::wire;
use super::zlut::parts_of;
use crate::component::{self, Component, Home};
use crate::direct::{
    BeadFinder, RoiSet, SavedTable, SweepData, Table, TrackBuffers, Tracker, TrackerStamp, TrackerWorker, ZlutStrategy,
    ZlutWorker,
};
use crate::error::PluginError;
use crate::host::CancelToken;
use crate::inspect::inspect;
use crate::isolation::Session;
use crate::shared::SharedRegion;
use devices::Devices;
use out::Out;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use tetherscope_plugin_api::abi::{Batch, Lookup, TrackOutput};
use tetherscope_plugin_api::{Fix, ProfileLayout, WorkerConfig};

/// What an answer is made of: JSON and bytes.
type Answer = Result<(Vec<u8>, Vec<u8>), WireError>;

/// Serves the host with this process number until it has gone. Never returns.
pub(super) fn serve(host: Option<u32>) -> ! {
    let Some((mut input, output)) = system::take_over(host) else { std::process::exit(2) };
    out::begin();
    // A panic here is a defect of ours, and half a server would only let the host wait.
    std::panic::set_hook(Box::new(|info| {
        eprintln!("{info}");
        std::process::abort()
    }));
    let mut server = Server::new(Out::new(output));
    let mut body = Vec::new();
    while let Ok(head) = wire::receive(&mut input, &mut body) {
        server.take(head, &body);
    }
    system::leave()
}

struct Server {
    out: Out,
    home: Option<Arc<Home>>,
    components: Vec<Component>,
    tracker: Option<Arc<Tracker>>,
    tracker_worker: Option<TrackerWorker>,
    strategy: Option<Arc<ZlutStrategy>>,
    zlut_worker: Option<ZlutWorker>,
    tables: HashMap<u64, Arc<Table>>,
    /// Where the batch's ROIs lie, kept from batch to batch.
    offsets: Vec<u64>,
    /// Addresses of the batch's tables, kept from batch to batch.
    addresses: Vec<*const std::ffi::c_void>,
    /// The batch's weights, to see whether there are any; kept from batch to batch.
    weights: Vec<f32>,
    finder: Option<Arc<BeadFinder>>,
    arena: Option<Arena>,
    job: Option<(JoinHandle<()>, CancelToken)>,
    devices: Devices,
}

impl Server {
    fn new(out: Out) -> Self {
        Self {
            devices: Devices::new(out.clone()),
            out,
            home: None,
            components: Vec::new(),
            tracker: None,
            tracker_worker: None,
            strategy: None,
            zlut_worker: None,
            tables: HashMap::new(),
            offsets: Vec::new(),
            addresses: Vec::new(),
            weights: Vec::new(),
            finder: None,
            arena: None,
            job: None,
        }
    }

    fn take(&mut self, head: wire::Head, body: &[u8]) {
        let number = head.number;
        match head.kind {
            wire::CANCEL => {
                if let Some((_, cancel)) = &self.job {
                    cancel.cancel();
                }
                return;
            }
            wire::CREDIT | wire::CLOSED => return self.devices.credit(number, wire::u32_at(body, 0)),
            _ => {}
        }
        if let Some((job, _)) = self.job.take() {
            // It has answered, or the host would not ask for more.
            let _ = job.join();
        }
        let n = wire::u32_at(body, 0).unwrap_or(0) as usize;
        match head.kind {
            wire::TRACK => self.answer_call(number, |s| s.track(n)),
            wire::LOOKUP => self.answer_call(number, |s| s.lookup(n)),
            wire::REQUEST => {
                let parts = wire::json_and_bytes(body);
                let request = parts.and_then(|(json, bytes)| Some((serde_json::from_slice(json).ok()?, bytes)));
                match request {
                    Some((request, bytes)) => self.request(number, request, bytes),
                    None => self.out.answer(number, Err(WireError::nonsense("a request that makes no sense"))),
                }
            }
            other => self.out.answer(number, Err(WireError::nonsense(format!("a message of kind {other}")))),
        }
    }

    fn answer_call(&mut self, number: u64, call: impl FnOnce(&mut Self) -> Result<(), WireError>) {
        match call(self) {
            Ok(()) => self.out.send(wire::DONE, number, &[]),
            Err(e) => self.out.answer(number, Err(e)),
        }
    }

    fn request(&mut self, number: u64, request: Request, bytes: &[u8]) {
        let answer = match request {
            Request::Build(sweep) => return self.build(number, *sweep),
            Request::Find { path, bytes, w_px, h_px, pixel_format, bits, seed } => {
                let image = Image { w_px, h_px, pixel_format, bits };
                return self.find(number, &path, bytes, image, seed);
            }
            Request::Enumerate { index } => match self.component(index) {
                Ok(component) => return self.devices.enumerate(number, component),
                Err(e) => Err(e),
            },
            Request::OpenCamera { index, device, params, camera } => match self.component(index) {
                Ok(c) => return self.devices.open_camera(number, camera, c, device, from_wire(params)),
                Err(e) => Err(e),
            },
            Request::OpenStage { index, device, params, stage } => match self.component(index) {
                Ok(c) => return self.devices.open_stage(number, stage, c, device, from_wire(params)),
                Err(e) => Err(e),
            },
            Request::Device { device, call } => return self.devices.call(number, device, call),
            other => self.at_once(other, bytes),
        };
        self.out.answer(number, answer);
    }

    /// Requests that are done when they return.
    fn at_once(&mut self, request: Request, bytes: &[u8]) -> Answer {
        match request {
            Request::Load { path, hash } => self.load(&path, &hash)?,
            Request::CreateTracker { index, params } => {
                self.tracker = Some(told(Tracker::create(&self.component(index)?, &from_wire(params)))?);
            }
            Request::TrackerWorker { config } => {
                let config = nonsense(from_pod(&config))?;
                let worker = told(there(&self.tracker)?.worker(&config))?;
                let layout = pod(worker.layout());
                self.tracker_worker = Some(worker);
                return Ok((b"{}".to_vec(), layout));
            }
            Request::MapArena { path, bytes, shape } => {
                self.arena = Some(nonsense(Arena::open(&path, bytes, shape).map_err(|e| e.to_string()))?);
            }
            Request::ExplainTrack => return self.explain_track(),
            Request::CreateStrategy { index, params } => {
                self.strategy = Some(told(ZlutStrategy::create(&self.component(index)?, &from_wire(params)))?);
            }
            Request::ZlutWorker { config, layout } => {
                let (config, layout) = (nonsense(from_pod(&config))?, nonsense(from_pod(&layout))?);
                self.zlut_worker = Some(told(there(&self.strategy)?.worker(&config, &layout))?);
            }
            Request::LoadTable { id, parts, layout, config } => {
                let saved = nonsense(parts_of(&parts, bytes))?;
                let (layout, config) = (nonsense(from_pod(&layout))?, nonsense(from_pod(&config))?);
                let table = told(there(&self.strategy)?.load(&saved, &layout, &config))?;
                self.tables.insert(id, table);
            }
            Request::FreeTables { ids } => ids.iter().for_each(|id| drop(self.tables.remove(id))),
            Request::ExplainLookup => return self.explain_lookup(),
            Request::CreateFinder { index, params } => {
                self.finder = Some(told(BeadFinder::create(&self.component(index)?, &from_wire(params)))?);
            }
            other => return Err(WireError::nonsense(format!("{other:?} cannot be done at once"))),
        }
        Ok((b"{}".to_vec(), Vec::new()))
    }

    fn load(&mut self, path: &Path, hash: &str) -> Result<(), WireError> {
        let refused = |e: crate::error::LoadError| WireError::nonsense(e.cause);
        let facts = inspect(path).map_err(refused)?;
        if facts.hash != hash {
            return Err(WireError::nonsense("its file has changed since it was found; start Tetherscope again"));
        }
        let (library, described) = crate::library::open(path, None).map_err(refused)?;
        let infos = component::parse(path, &facts, &described).map_err(refused)?;
        let home = Arc::new(Home {
            path: path.to_owned(),
            facts,
            layout: library.layout,
            opened: Some(library),
            accusable: false,
            session: Arc::new(Session::default()),
            devices: Mutex::default(),
        });
        let made = infos.into_iter().enumerate().map(|(i, info)| Component::new(&home, i as u32, info));
        self.components = made.collect::<Result<_, _>>().map_err(refused)?;
        self.home = Some(home);
        Ok(())
    }

    fn component(&self, index: u32) -> Result<Component, WireError> {
        let found = self.components.get(index as usize).cloned();
        found.ok_or_else(|| WireError::nonsense(format!("there is no component {index}")))
    }

    fn track(&mut self, n: usize) -> Result<(), WireError> {
        let (Some(worker), Some(arena)) = (&mut self.tracker_worker, &self.arena) else { return Err(missing()) };
        let places = arena.places_of(n).ok_or_else(|| too_many(n))?;
        self.offsets.clear();
        self.offsets.extend(arena.offsets(n));
        let batch = arena.batch(&places, &self.offsets);
        let output = TrackOutput {
            fixes: arena.address::<Fix>(places.fixes),
            profiles: arena.address::<f64>(places.profiles),
            weights: arena.address::<f32>(places.weights),
            n_bins: arena.shape().n_bins,
            n_rois: batch.n_rois,
            reserved: [0; 2],
        };
        // SAFETY: batch and output lie in the arena at places for `n` ROIs, which stays mapped; the host does not touch
        // them before it has its answer.
        told(unsafe { worker.track_raw(&batch, &output) })
    }

    fn explain_track(&mut self) -> Answer {
        let (Some(worker), Some(arena)) = (&mut self.tracker_worker, &self.arena) else { return Err(missing()) };
        let places = arena.places_of(1).ok_or_else(|| too_many(1))?;
        let set = arena.with_rois(&places, 1, |rois| worker.explain(rois));
        Ok(arrays::write(&told(set)?))
    }

    /// The batch's tables and what a lookup works on, in the arena.
    fn lookup_of(&mut self, n: usize) -> Result<(Batch, Lookup), WireError> {
        let Some(arena) = &self.arena else { return Err(missing()) };
        let places = arena.places_of(n).ok_or_else(|| too_many(n))?;
        let mut ids = vec![0_u64; n];
        arena.get(places.extra, &mut ids);
        self.addresses.clear();
        for id in ids {
            let table = self.tables.get(&id).ok_or_else(|| WireError::nonsense(format!("there is no table {id}")))?;
            self.addresses.push(table.address());
        }
        self.offsets.clear();
        self.offsets.extend(arena.offsets(n));
        let (batch, n_bins) = (arena.batch(&places, &self.offsets), arena.shape().n_bins);
        let null = n_bins == 0;
        self.weights.resize(n * n_bins as usize, f32::NAN);
        arena.get(places.weights, &mut self.weights);
        let no_weights = self.weights.iter().all(|w| !w.is_finite());
        let lookup = Lookup {
            tables: self.addresses.as_ptr(),
            fixes: arena.address::<Fix>(places.fixes),
            profiles: if null { std::ptr::null() } else { arena.address::<f64>(places.profiles) },
            weights: if no_weights { std::ptr::null() } else { arena.address::<f32>(places.weights) },
            n_bins,
            n_rois: batch.n_rois,
            reserved: [0; 2],
        };
        Ok((batch, lookup))
    }

    fn lookup(&mut self, n: usize) -> Result<(), WireError> {
        let (batch, lookup) = self.lookup_of(n)?;
        let worker = self.zlut_worker.as_mut().ok_or_else(missing)?;
        // SAFETY: batch and lookup lie in the arena at places for `n` ROIs, which stays mapped; the tables are of this
        // process' one strategy and are freed only by a later request.
        told(unsafe { worker.lookup_raw(&batch, &lookup) })
    }

    fn explain_lookup(&mut self) -> Answer {
        let (batch, lookup) = self.lookup_of(1)?;
        let worker = self.zlut_worker.as_mut().ok_or_else(missing)?;
        // SAFETY: as in `lookup`, for one ROI.
        let set = unsafe { worker.explain_raw(&batch, &lookup) };
        Ok(arrays::write(&told(set)?))
    }

    /// Runs a job beside this thread, so that it can be told to give up, and so that the host hears that it goes on.
    fn start_job(&mut self, number: u64, job: impl FnOnce(&Out) -> Answer + Send + 'static) {
        let (out, cancel) = (self.out.clone(), CancelToken::new());
        let token = cancel.clone();
        let thread = std::thread::spawn(move || {
            let ticking = out.tick(number);
            let answer = token.run(|| job(&out));
            drop(ticking);
            out.answer(number, answer);
        });
        self.job = Some((thread, cancel));
    }

    fn build(&mut self, number: u64, sweep: WireSweep) {
        match there(&self.strategy).cloned() {
            Ok(strategy) => self.start_job(number, move |_| build(&strategy, sweep)),
            Err(e) => self.out.answer(number, Err(e)),
        }
    }

    fn find(&mut self, number: u64, path: &Path, bytes: usize, image: Image, seed: Option<Vec<u8>>) {
        let region = SharedRegion::open(path, bytes).map_err(|e| WireError::nonsense(e.to_string()));
        let ready = there(&self.finder).cloned().and_then(|finder| Ok((finder, region?)));
        match ready {
            Ok((finder, region)) => {
                self.start_job(number, move |out| find(&finder, &region, image, seed, number, out));
            }
            Err(e) => self.out.answer(number, Err(e)),
        }
    }
}

/// The image of a finder, which fills its region.
struct Image {
    w_px: u32,
    h_px: u32,
    pixel_format: u32,
    bits: u32,
}

fn find(
    finder: &BeadFinder,
    region: &SharedRegion,
    image: Image,
    seed: Option<Vec<u8>>,
    number: u64,
    out: &Out,
) -> Answer {
    let seed = seed.map(|s| nonsense(from_pod(&s))).transpose()?;
    let pixel_bytes = if image.pixel_format == tetherscope_plugin_api::abi::PIXEL_MONO8 { 1 } else { 2 };
    let bytes =
        (image.w_px as usize).checked_mul(image.h_px as usize).and_then(|n| n.checked_mul(pixel_bytes as usize));
    if bytes.is_none_or(|b| b == 0 || b > region.len()) {
        return Err(WireError::nonsense(format!("an image of {} × {} px in other memory", image.w_px, image.h_px)));
    }
    let rois = RoiSet {
        // SAFETY: the host does not write the region before it has its answer.
        memory: unsafe { region.bytes() }.into(),
        offsets: &[0],
        row_stride_bytes: u64::from(image.w_px) * u64::from(pixel_bytes),
        pixel_stride_bytes: pixel_bytes,
        w_px: image.w_px,
        h_px: image.h_px,
        pixel_format: image.pixel_format,
        bead_ids: &[0],
        frame_indices: &[0],
    };
    let progress = |value: f64| out.send(wire::PROGRESS, number, &[&value.to_bits().to_le_bytes()]);
    let hits = told(finder.find(&rois, image.bits, seed, progress))?;
    Ok((b"{}".to_vec(), bytes_of(&hits).to_vec()))
}

fn build(strategy: &Arc<ZlutStrategy>, sweep: WireSweep) -> Answer {
    let arena = nonsense(Arena::open(&sweep.path, sweep.bytes, sweep.shape).map_err(|e| e.to_string()))?;
    let (n, n_bins) = (sweep.n_rois, sweep.shape.n_bins as usize);
    let places = arena.places_of(n).ok_or_else(|| too_many(n))?;
    let mut tracks = TrackBuffers { n_bins, ..TrackBuffers::default() };
    tracks.prepare(n, n_bins);
    let mut focus_nm = vec![0.0_f64; n];
    arena.get(places.extra, &mut focus_nm);
    arena.get(places.fixes, &mut tracks.fixes);
    arena.get(places.profiles, &mut tracks.profiles);
    arena.get(places.weights, &mut tracks.weights);
    let layout: ProfileLayout = nonsense(from_pod(&sweep.layout))?;
    let config: WorkerConfig = nonsense(from_pod(&sweep.config))?;
    let params = from_wire(sweep.tracker_params);
    let tracker = TrackerStamp { id: &sweep.tracker_id, version: &sweep.tracker_version, params: &params };
    let table = arena.with_rois(&places, n, |rois| {
        let data = SweepData { rois: *rois, focus_nm: &focus_nm, tracks: &tracks, layout, config, tracker };
        strategy.build(&data)
    });
    let saved = told(told(table)?.save())?;
    Ok(write_parts(&saved))
}

fn write_parts(saved: &SavedTable) -> (Vec<u8>, Vec<u8>) {
    let sizes = PartSizes {
        n_planes: saved.z_nm.len(),
        n_values: saved.profiles.len(),
        n_variances: saved.variance.as_ref().map(Vec::len),
        n_bytes: saved.bytes.as_ref().map(Vec::len),
    };
    let mut bytes = [bytes_of(&saved.z_nm), bytes_of(&saved.profiles)].concat();
    bytes.extend_from_slice(bytes_of(saved.variance.as_deref().unwrap_or_default()));
    bytes.extend_from_slice(saved.bytes.as_deref().unwrap_or_default());
    (serde_json::to_vec(&sizes).expect("numbers"), bytes)
}

fn there<T>(object: &Option<T>) -> Result<&T, WireError> {
    object.as_ref().ok_or_else(missing)
}

fn too_many(n: usize) -> WireError {
    WireError::nonsense(format!("{n} ROIs do not fit into the memory"))
}

fn missing() -> WireError {
    WireError::nonsense("what is asked for was not made before")
}

fn told<T>(outcome: Result<T, PluginError>) -> Result<T, WireError> {
    outcome.map_err(|e| WireError::of(&e))
}

fn nonsense<T>(outcome: Result<T, String>) -> Result<T, WireError> {
    outcome.map_err(WireError::nonsense)
}
