//! FNV-1a: the same on every machine and in every version, which the standard library's hashes need not be.

/// The hash so far.
#[derive(Debug, Clone)]
pub struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    /// Adds bytes.
    pub fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
}

impl std::fmt::Display for Fnv {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // 32 bits are enough to tell two tables, or two names, apart.
        write!(f, "{:08x}", (self.0 >> 32) ^ (self.0 & 0xffff_ffff))
    }
}
