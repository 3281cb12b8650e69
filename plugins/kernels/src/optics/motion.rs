//! Brownian motion of a tethered bead: an Ornstein–Uhlenbeck process per axis, stepped without error for any time step.
//! Knows no clock: the caller says how much time has passed.

use rand_distr::{Distribution, StandardNormal};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::error::{OpticsError, check_not_negative, check_positive};
use super::random::{Purpose, stream};

/// Displacement (nm) from an anchor that pulls back at the rate `theta_per_s`.
///
/// dx = −θ x dt + σ √(2θ) dW, with σ the standard deviation in equilibrium. A step is exact:
/// x(t + dt) = x e^(−θ dt) + σ √(1 − e^(−2θ dt)) N(0, 1) (D. T. Gillespie, Phys. Rev. E 54, 2084 (1996)), so the statistics
/// do not depend on the frame rate.
#[derive(Debug, Clone)]
pub struct OrnsteinUhlenbeck {
    theta_per_s: f64,
    sigma_nm: f64,
    value_nm: f64,
    rng: Xoshiro256PlusPlus,
}

impl OrnsteinUhlenbeck {
    /// Starts in equilibrium. `stream` numbers processes that share a seed; each has its own random numbers.
    ///
    /// # Errors
    /// `theta_per_s` not above zero, `sigma_nm` negative, either not finite.
    pub fn new(theta_per_s: f64, sigma_nm: f64, seed: u64, stream_number: u64) -> Result<Self, OpticsError> {
        check_positive("theta_per_s", theta_per_s)?;
        check_not_negative("sigma_nm", sigma_nm)?;
        let mut rng = stream(seed, Purpose::Motion, stream_number);
        let start: f64 = StandardNormal.sample(&mut rng);
        Ok(Self { theta_per_s, sigma_nm, value_nm: sigma_nm * start, rng })
    }

    /// Lets `dt_s` seconds pass (less than 0 counts as 0) and returns the displacement in nm. Draws one number every time.
    pub fn step(&mut self, dt_s: f64) -> f64 {
        let decay = (-self.theta_per_s * dt_s.max(0.0)).exp();
        let kick: f64 = StandardNormal.sample(&mut self.rng);
        self.value_nm = self.value_nm * decay + self.sigma_nm * (1.0 - decay * decay).sqrt() * kick;
        self.value_nm
    }

    /// The displacement in nm now.
    pub fn value_nm(&self) -> f64 {
        self.value_nm
    }

    /// Changes the standard deviation in equilibrium; the displacement is scaled along, so equilibrium is kept.
    ///
    /// # Errors
    /// Negative or not finite.
    pub fn set_sigma_nm(&mut self, sigma_nm: f64) -> Result<(), OpticsError> {
        check_not_negative("sigma_nm", sigma_nm)?;
        // From no motion at all there is nothing to scale; the process then starts at its anchor.
        self.value_nm *= if self.sigma_nm > 0.0 { sigma_nm / self.sigma_nm } else { 0.0 };
        self.sigma_nm = sigma_nm;
        Ok(())
    }
}

/// How a tether holds its bead. The defaults are of the order of a micrometre of DNA at low force.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TetherParameters {
    /// Relaxation rate sideways.
    pub theta_xy_per_s: f64,
    /// Relaxation rate along the optical axis.
    pub theta_z_per_s: f64,
    /// Standard deviation in equilibrium, along x and along y.
    pub sigma_xy_nm: f64,
    /// Standard deviation in equilibrium, along z.
    pub sigma_z_nm: f64,
}

impl Default for TetherParameters {
    fn default() -> Self {
        Self { theta_xy_per_s: 1.5, theta_z_per_s: 2.0, sigma_xy_nm: 300.0, sigma_z_nm: 100.0 }
    }
}

/// Three independent [`OrnsteinUhlenbeck`] processes: one bead.
#[derive(Debug, Clone)]
pub struct TetheredBead {
    axes: [OrnsteinUhlenbeck; 3],
}

impl TetheredBead {
    /// Bead number `bead` of a scene with this seed, in equilibrium. The same seed, bead and time steps give the same path,
    /// whatever other beads do.
    ///
    /// # Errors
    /// As [`OrnsteinUhlenbeck::new`].
    pub fn new(parameters: &TetherParameters, seed: u64, bead: u32) -> Result<Self, OpticsError> {
        let axis = |number: u64, theta: f64, sigma: f64| {
            OrnsteinUhlenbeck::new(theta, sigma, seed, u64::from(bead) * 3 + number)
        };
        Ok(Self {
            axes: [
                axis(0, parameters.theta_xy_per_s, parameters.sigma_xy_nm)?,
                axis(1, parameters.theta_xy_per_s, parameters.sigma_xy_nm)?,
                axis(2, parameters.theta_z_per_s, parameters.sigma_z_nm)?,
            ],
        })
    }

    /// Lets `dt_s` seconds pass; returns the displacement (x, y, z) from the anchor in nm.
    pub fn step(&mut self, dt_s: f64) -> [f64; 3] {
        self.axes.each_mut().map(|axis| axis.step(dt_s))
    }

    /// The displacement (x, y, z) in nm now.
    pub fn displacement_nm(&self) -> [f64; 3] {
        self.axes.each_ref().map(OrnsteinUhlenbeck::value_nm)
    }

    /// Changes the amplitudes while the bead moves; see [`OrnsteinUhlenbeck::set_sigma_nm`].
    ///
    /// # Errors
    /// Negative or not finite; nothing has then changed.
    pub fn set_sigmas_nm(&mut self, sigma_xy_nm: f64, sigma_z_nm: f64) -> Result<(), OpticsError> {
        check_not_negative("sigma_xy_nm", sigma_xy_nm)?;
        check_not_negative("sigma_z_nm", sigma_z_nm)?;
        let [x, y, z] = &mut self.axes;
        x.set_sigma_nm(sigma_xy_nm)?;
        y.set_sigma_nm(sigma_xy_nm)?;
        z.set_sigma_nm(sigma_z_nm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Variance and lag-1 correlation of a long path.
    fn statistics(dt_s: f64, n: usize) -> (f64, f64) {
        let mut process = OrnsteinUhlenbeck::new(2.0, 100.0, 5, 0).unwrap();
        let path: Vec<f64> = (0..n).map(|_| process.step(dt_s)).collect();
        let variance = path.iter().map(|x| x * x).sum::<f64>() / n as f64;
        let lagged = path.windows(2).map(|w| w[0] * w[1]).sum::<f64>() / (n - 1) as f64;
        (variance, lagged / variance)
    }

    #[test]
    fn variance_and_correlation_are_right_at_every_frame_rate() {
        // Fixed seed. 400,000 steps: the variance is known to about 2 % at 2 ms (1,600 correlation times), better above.
        for (dt_s, tolerance) in [(0.002, 0.08), (0.1, 0.02), (3.0, 0.01)] {
            let (variance, correlation) = statistics(dt_s, 400_000);
            assert!((variance / 1e4 - 1.0).abs() < tolerance, "{dt_s} s: variance {variance}");
            assert!((correlation - (-2.0 * dt_s).exp()).abs() < 0.01, "{dt_s} s: correlation {correlation}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_path_and_beads_and_axes_differ() {
        let path = |seed, bead| {
            let mut bead = TetheredBead::new(&TetherParameters::default(), seed, bead).unwrap();
            [bead.step(0.01), bead.step(0.02)]
        };
        assert_eq!(path(1, 0), path(1, 0));
        assert_ne!(path(1, 0), path(1, 1));
        assert_ne!(path(1, 0), path(2, 0));
        assert_ne!(path(1, 0)[0][0], path(1, 0)[0][1]);
    }

    #[test]
    fn beads_start_in_equilibrium() {
        let n = 4000;
        let starts = |axis: usize| {
            let sum: f64 = (0..n)
                .map(|bead| TetheredBead::new(&TetherParameters::default(), 9, bead).unwrap())
                .map(|bead| bead.displacement_nm()[axis].powi(2))
                .sum();
            (sum / f64::from(n)).sqrt()
        };
        // 4,000 beads: a standard deviation to 1.1 %.
        assert!((starts(0) / 300.0 - 1.0).abs() < 0.045, "x {}", starts(0));
        assert!((starts(2) / 100.0 - 1.0).abs() < 0.045, "z {}", starts(2));
    }

    #[test]
    fn no_time_no_motion_and_no_sigma_no_motion() {
        let mut process = OrnsteinUhlenbeck::new(1.0, 50.0, 1, 1).unwrap();
        let before = process.value_nm();
        assert_eq!(process.step(0.0), before);
        process.set_sigma_nm(0.0).unwrap();
        assert_eq!(process.step(1.0), 0.0);
        assert!(process.set_sigma_nm(-1.0).is_err());
        assert!(OrnsteinUhlenbeck::new(0.0, 1.0, 1, 1).is_err());
    }
}
