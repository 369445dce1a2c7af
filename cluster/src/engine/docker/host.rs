//! Parts of the engine's host that nodes use.

use std::path::Path;

const DEVICES: [&str; 2] = ["/dev/kmsg", "/dev/fuse"];
const MODULES: &str = "/lib/modules";

/// Parts of the engine's host that nodes use where they exist.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct HostParts {
    pub(super) devices: Vec<&'static str>,
    pub(super) modules: bool,
}

impl HostParts {
    pub(super) fn all() -> Self {
        Self {
            devices: DEVICES.to_vec(),
            modules: true,
        }
    }

    pub(super) fn of_this_machine() -> Self {
        let mut parts = Self::all();
        parts.devices.retain(|path| Path::new(path).exists());
        parts.modules = Path::new(MODULES).is_dir();
        parts
    }

    /// Leaves out the part that the engine's complaint names, if it names one.
    pub(super) fn without_named(&mut self, complaint: &str) -> bool {
        let before = self.clone();
        self.devices.retain(|path| !complaint.contains(path));
        self.modules &= !complaint.contains(MODULES);
        *self != before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_takes_away_what_it_names() {
        let mut parts = HostParts::all();
        assert!(parts.without_named(
            "error gathering device information while adding custom device \"/dev/fuse\": no such file or directory"
        ));
        assert_eq!(parts.devices, ["/dev/kmsg"]);
        assert!(parts.without_named(
            "invalid mount config for type \"bind\": bind source path does not exist: /lib/modules"
        ));
        assert!(!parts.modules);
        assert!(!parts.without_named("exec: \"/bin/true\": stat /bin/true: no such file"));
    }
}
