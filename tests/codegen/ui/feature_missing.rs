//! What a cargo feature would bring: the error names the feature.

use pool_runtime::{Pool, TlsConfig};

fn main() {
    let builder = Pool::builder("https://127.0.0.1:1").tls(());
    let builder = builder.service_config("{}");
    let _ = builder.build().unwrap().set_service_config("{}");
}
