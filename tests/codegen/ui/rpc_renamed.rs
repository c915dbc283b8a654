//! An RPC whose name is taken is named by its method.

use pool_runtime::pooled_client;

#[pooled_client(codegen::awkward::names::clashes_client::ClashesClient, new(idempotent))]
pub struct Clashes;

fn main() {}
