//! The methods that are tried: a tracker and a strategy, both loaded as plugins. What is not loaded is passed over by name.

use std::sync::Arc;
use tetherscope_core::loader::{Component, Kind, ParamSet, Registry, Tracker, ZlutStrategy};

/// Name, tracker, strategy.
const METHODS: [(&str, &str, &str); 5] = [
    ("magtrack + correlation", "tracker.magtrack", "zlut.correlation"),
    ("radial-symmetry + spline", "tracker.radial-symmetry", "zlut.spline"),
    ("magtrack + spline", "tracker.magtrack", "zlut.spline"),
    ("quadrant + spline", "tracker.quadrant", "zlut.spline"),
    ("quadrant + joint", "tracker.quadrant", "zlut.joint"),
];

/// One of them, ready.
pub(crate) struct Method {
    pub(crate) name: &'static str,
    pub(crate) tracker: Arc<Tracker>,
    pub(crate) strategy: Arc<ZlutStrategy>,
}

/// Those that are loaded and wanted, with default parameters; and the names of those that are wanted and not loaded.
pub(crate) fn of(registry: &Registry, wanted: &[String]) -> (Vec<Method>, Vec<String>) {
    let (mut ready, mut missing) = (Vec::new(), Vec::new());
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|w| name.contains(w.as_str()));
    for (name, tracker, strategy) in METHODS.into_iter().filter(|m| is_wanted(m.0)) {
        let made = (|| {
            let tracker = registry.resolve(Kind::Tracker, tracker).map_err(|e| e.to_string())?;
            let strategy = registry.resolve(Kind::Zlut, strategy).map_err(|e| e.to_string())?;
            Ok::<Method, String>(Method {
                name,
                tracker: Tracker::create(tracker, defaults(tracker)).map_err(|e| e.to_string())?,
                strategy: ZlutStrategy::create(strategy, defaults(strategy)).map_err(|e| e.to_string())?,
            })
        })();
        match made {
            Ok(method) => ready.push(method),
            Err(e) => missing.push(format!("{name} ({})", e.replace('\n', "; "))),
        }
    }
    (ready, missing)
}

fn defaults(component: &Component) -> ParamSet {
    ParamSet::defaults(&component.info().parameters)
}
