//! Files of images, as the official ones have them.

pub(super) const NGINX_CONF: &str = include_str!("../../rootfs/nginx/nginx.conf");
pub(super) const NGINX_DEFAULT: &str = include_str!("../../rootfs/nginx/default.conf");
pub(super) const NGINX_ENTRYPOINT: &str = include_str!("../../rootfs/nginx/docker-entrypoint.sh");

/// As in the base that upstream's pets stand on.
pub(super) const PETS_OS_RELEASE: &str = include_str!("../../rootfs/pets/os-release");

/// All of them, for the hash of what they go into.
pub(super) fn texts() -> [&'static str; 4] {
    [NGINX_CONF, NGINX_DEFAULT, NGINX_ENTRYPOINT, PETS_OS_RELEASE]
}
