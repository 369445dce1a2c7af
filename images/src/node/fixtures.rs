//! Files of the nginx image, as the official one has them.

pub(super) const NGINX_CONF: &str = include_str!("../../rootfs/nginx/nginx.conf");
pub(super) const NGINX_DEFAULT: &str = include_str!("../../rootfs/nginx/default.conf");
pub(super) const NGINX_ENTRYPOINT: &str = include_str!("../../rootfs/nginx/docker-entrypoint.sh");

/// All of them, for the hash of what they go into.
pub(super) fn texts() -> [&'static str; 3] {
    [NGINX_CONF, NGINX_DEFAULT, NGINX_ENTRYPOINT]
}
