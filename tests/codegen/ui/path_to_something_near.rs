//! A path that leads near the client: the error names the client.

use codegen_api::helloworld;
use pool_runtime::pooled_client;

#[pooled_client(codegen_api::helloworld)]
pub struct Package;

#[pooled_client(helloworld)]
pub struct ImportedPackage;

#[pooled_client(helloworld::greeter_client)]
pub struct ClientModule;

#[pooled_client(helloworld::greeter_server)]
pub struct ServerModule;

#[pooled_client(helloworld::greeter_server::GreeterServer)]
pub struct Server;

#[pooled_client(helloworld::Greeter)]
pub struct Service;

fn main() {}
