//! One table: profiles by focus position, as a strategy gets them back. Here it is only checked for
//! sense; lengths and order, not optics.

/// The profiles of one bead, or of several averaged, against focus.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ZlutTable {
    /// Whose table it is; `None` for one that all beads share.
    pub bead: Option<u32>,
    /// Focus position of each plane, nm; finite, rising, no two the same, at least two.
    pub z_nm: Vec<f64>,
    /// Profiles, n_planes × n_bins, plane after plane. NaN is an empty bin; nothing is infinite.
    pub profiles: Vec<f64>,
    /// Variance of each bin, as long as `profiles`; `None` where it wasn't measured.
    pub variance: Option<Vec<f64>>,
    /// What the strategy keeps besides, in its own format; `None` where it needs nothing.
    pub bytes: Option<Vec<u8>>,
    /// Frames that each plane was made from; empty where it isn't known.
    pub n_frames_per_plane: Vec<u32>,
}

impl ZlutTable {
    /// Number of planes.
    #[must_use]
    pub fn n_planes(&self) -> usize {
        self.z_nm.len()
    }

    /// Number of bins of a profile; 0 without profiles.
    #[must_use]
    pub fn n_bins(&self) -> usize {
        self.profiles.len().checked_div(self.z_nm.len()).unwrap_or(0)
    }

    /// A checksum over everything in the table, hexadecimal (BLAKE3), by which a recording can
    /// tell which table it was made with. It depends on every bit.
    #[must_use]
    pub fn checksum(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        let mut part = |bytes: Option<Vec<u8>>| {
            // The length in front keeps neighbours apart; an absent part differs from an empty one.
            let length = bytes.as_ref().map_or(u64::MAX, |b| b.len() as u64);
            hasher.update(&length.to_le_bytes());
            hasher.update(&bytes.unwrap_or_default());
        };
        part(self.bead.map(|b| b.to_le_bytes().to_vec()));
        part(Some(f64_bytes(&self.z_nm)));
        part(Some(f64_bytes(&self.profiles)));
        part(self.variance.as_deref().map(f64_bytes));
        part(self.bytes.clone());
        part(Some(u32_bytes(&self.n_frames_per_plane)));
        hasher.finalize().to_hex().to_string()
    }

    /// How an error calls it.
    pub(super) fn name(&self) -> String {
        match self.bead {
            Some(bead) => format!("the table of bead {bead}"),
            None => "the shared table".to_owned(),
        }
    }

    /// What makes no sense, in words.
    pub(super) fn check(&self) -> Result<(), String> {
        check_planes(&self.z_nm)?;
        let n_planes = self.n_planes();
        if !self.profiles.len().is_multiple_of(n_planes) {
            return Err(format!("{} profile values don't go into {n_planes} planes", self.profiles.len()));
        }
        if let Some(variance) = &self.variance
            && variance.len() != self.profiles.len()
        {
            return Err(format!("{} variances for {} profile values", variance.len(), self.profiles.len()));
        }
        let n_counts = self.n_frames_per_plane.len();
        if n_counts != 0 && n_counts != n_planes {
            return Err(format!("{n_counts} frame counts for {n_planes} planes"));
        }
        check_profiles(&self.profiles, n_planes)
    }
}

/// Planes are counted from 1 in errors.
fn check_planes(z_nm: &[f64]) -> Result<(), String> {
    let n = z_nm.len();
    if n < 2 {
        return Err(format!("a Z-LUT needs two planes or more, this one has {n}"));
    }
    if let Some(i) = z_nm.iter().position(|z| !z.is_finite()) {
        return Err(format!("plane {} of {n} is at {} nm", i + 1, z_nm[i]));
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| z_nm[a].total_cmp(&z_nm[b]));
    if let Some(pair) = order.windows(2).find(|p| z_nm[p[0]] == z_nm[p[1]]) {
        let (a, b) = (pair[0].min(pair[1]) + 1, pair[0].max(pair[1]) + 1);
        let z = z_nm[pair[0]];
        return Err(format!("planes {a} and {b} of {n} are both at {z} nm"));
    }
    let rises = |i: &usize| z_nm[*i] > z_nm[*i - 1];
    let refuse = |i: usize, cause: &str| {
        Err(format!("{cause}: plane {} of {n} is at {} nm, plane {} at {} nm", i, z_nm[i - 1], i + 1, z_nm[i]))
    };
    match (1..n).find(|i| rises(i) != rises(&1)) {
        Some(turn) => refuse(turn, "z turns back"),
        None if !rises(&1) => refuse(1, "z must rise from plane to plane"),
        None => Ok(()),
    }
}

fn check_profiles(profiles: &[f64], n_planes: usize) -> Result<(), String> {
    if profiles.is_empty() {
        return Ok(());
    }
    for (plane, profile) in profiles.chunks(profiles.len() / n_planes).enumerate() {
        if let Some(bin) = profile.iter().position(|v| v.is_infinite()) {
            return Err(format!("bin {} of plane {} of {n_planes} is infinite", bin + 1, plane + 1));
        }
        if profile.iter().all(|v| v.is_nan()) {
            return Err(format!("plane {} of {n_planes} has no profile, all its bins are NaN", plane + 1));
        }
    }
    Ok(())
}

/// Little-endian bytes, as files hold them.
pub(super) fn f64_bytes(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// Little-endian bytes, as files hold them.
pub(super) fn u32_bytes(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}
