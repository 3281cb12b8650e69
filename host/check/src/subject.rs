//! What a check is done on: a component, and the parameters that the user gave for it.

use crate::outcome::Stop;
use tetherscope_loader::{Component, ParamSet, PluginError, abi};

/// A component under test.
pub(crate) struct Subject {
    pub(crate) component: Component,
    /// `key=text`; the rest has its default.
    pub(crate) params: Vec<(String, String)>,
}

impl Subject {
    /// The parameters that the user gave, the rest at its default.
    pub(crate) fn params(&self) -> Result<ParamSet, Stop> {
        Ok(self.component.params(self.pairs())?)
    }

    /// The same with one of them changed.
    pub(crate) fn params_with(&self, key: &str, text: &str) -> Result<ParamSet, Stop> {
        Ok(self.component.params(self.pairs().chain([(key, text)]))?)
    }

    fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.params.iter().map(|(k, v)| (k.as_str(), v.as_str()))
    }

    pub(crate) fn can(&self, capability: &str) -> bool {
        self.component.info().can(capability)
    }
}

/// True if an error is a refusal with a reason, as a plugin may give for what it cannot do; anything else is a defect.
pub(crate) fn is_refusal(e: &PluginError) -> bool {
    [abi::STATUS_INVALID_ARGUMENT, abi::STATUS_UNSUPPORTED].contains(&e.status) && !e.message.is_empty()
}

/// A small generator of numbers that are the same in every run (xorshift64*).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// 0 to 1.
    pub(crate) fn unit(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A whole number below `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.unit() * n as f64) as usize % n.max(1)
    }
}
