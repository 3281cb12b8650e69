//! Simulated beads: what a bright-field microscope shows of a sphere at (x, y, z), with camera noise and Brownian motion.
//!
//! From the formula to the live picture in five steps, each proven against the one before:
//! 1. [`simulate_beads`], [`simulate_zlut`]: MagTrack's formula on the camera grid, for conformance.
//! 2. [`FineBeadRenderer`]: the same formula on a finer grid, intensity averaged over each pixel. Slow, and the reference.
//! 3. [`RadialTable`]: the image of one kind of bead as a function of distance and defocus, no grid and no wrap-around.
//! 4. [`Scene`] and [`Sensor`]: many beads on one image, then shot noise, read noise and quantisation.
//! 5. [`TetheredBead`] and [`place_beads`]: where the beads are.
//!
//! Nothing here knows a camera plugin, a clock or a file. Positions are in pixels with (0, 0) in the middle of the top-left
//! pixel, x to the right and y down. `z_nm` is the defocus that the optics see, bead z plus focus offset, with the sign of
//! MagTrack's simulator.

mod bead;
mod error;
mod fine;
mod motion;
mod noise;
mod pixel_average;
mod placement;
mod quadrature;
mod radial;
mod random;
mod scene;
mod sensor;
mod wave;
mod zlut;

pub use bead::BeadOptics;
pub use error::{OpticsError, OpticsErrorKind};
pub use fine::{FineBeadRenderer, FineParameters};
pub use motion::{OrnsteinUhlenbeck, TetherParameters, TetheredBead};
pub use placement::{Layout, PlacementParameters, place_beads};
pub use radial::{RadialRow, RadialTable, RadialTableParameters};
pub use scene::{Scene, SceneParameters};
pub use sensor::{Pixel, Sensor, SensorParameters};
pub use wave::{SimulationParameters, simulate_beads};
pub use zlut::simulate_zlut;
