//! The files of pool-runtime whose names are the modules'.

#[path = "../../../pool-runtime/src/pool/avoid.rs"]
pub(crate) mod avoid;
#[path = "../../../pool-runtime/src/pool/backoff.rs"]
pub(crate) mod backoff;
#[path = "../../../pool-runtime/src/pool/core/mod.rs"]
pub(crate) mod core;
#[path = "../../../pool-runtime/src/pool/event.rs"]
pub(crate) mod event;
#[path = "../../../pool-runtime/src/pool/gate.rs"]
pub(crate) mod gate;
#[path = "../../../pool-runtime/src/pool/picker.rs"]
pub(crate) mod picker;
#[path = "../../../pool-runtime/src/pool/policy.rs"]
pub(crate) mod policy;
#[path = "../../../pool-runtime/src/pool/scale.rs"]
mod scale;
#[path = "../../../pool-runtime/src/pool/waiters.rs"]
pub(crate) mod waiters;

mod atomic {
    pub(super) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering};
}
