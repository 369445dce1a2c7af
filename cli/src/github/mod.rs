//! Issues on GitHub.
//!
//! What to do is decided by `kcluster_reports::issues`, which is pure. Here are the requests that this means
//! (`request`), which a dry run prints, the client that sends them (`client`), what a refusal means (`refusal`), and
//! the token (`token`), which nothing prints.

mod client;
mod refusal;
mod request;
mod token;
mod work;

pub(crate) use work::{Flags, work};
