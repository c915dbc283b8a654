//! Settings that cannot be used are refused when the pool is built, by name.

use std::time::Duration;

use pool_runtime::{Backoff, Builder, Overflow, Pool, TlsConfig};
use tests::server::TestServer;
use tests::within;

use super::{Client, lasting};

fn refused(field: &str, builder: Builder) {
    let error = builder.build().expect_err(field);
    assert!(error.is_config(), "{field}: {error}");
    let text = error.to_string();
    let named = text.strip_prefix("http://127.0.0.1:1: ").unwrap_or(&text);
    assert!(named.starts_with(&format!("{field}: ")), "{field}: {text}");
    assert!(named.len() > field.len() + 10, "it says what is wrong: {text}");
}

#[test]
fn each_setting_that_cannot_be_used_is_named() {
    let zero = Duration::ZERO;
    let row = |field: &str, set: fn(Builder) -> Builder| refused(field, set(Pool::builder("http://127.0.0.1:1")));
    row("max_connections", |b| b.max_connections(0));
    row("min_connections", |b| b.min_connections(11));
    row("min_connections", |b| b.min_connections(3).max_connections(2));
    row("min_connections", |b| {
        b.min_connections(usize::MAX).max_connections(usize::MAX)
    });
    row("max_resets", |b| b.max_resets(0, Duration::from_secs(30)));
    row("max_resets", |b| b.max_resets(100, Duration::ZERO));
    row("max_concurrent_streams", |b| b.max_concurrent_streams(0));
    row("max_total_uses", |b| b.max_total_uses(0));
    row("max_lifetime_jitter", |b| b.max_lifetime_jitter(1.0));
    row("max_lifetime_jitter", |b| b.max_lifetime_jitter(-0.1));
    row("max_lifetime_jitter", |b| b.max_lifetime_jitter(f64::NAN));
    row("initial_stream_window_size", |b| b.initial_stream_window_size(0));
    row("initial_stream_window_size", |b| b.initial_stream_window_size(1 << 31));
    row("initial_connection_window_size", |b| {
        b.initial_connection_window_size(0)
    });
    row("max_frame_size", |b| b.max_frame_size((1 << 14) - 1));
    row("max_frame_size", |b| b.max_frame_size(1 << 24));
    row("max_header_list_size", |b| b.max_header_list_size(0));
    row("user_agent", |b| b.user_agent("two\nlines"));
    // Nobody speaks TLS to an http target.
    row("tls", |b| b.tls(TlsConfig::new()));
    type Set = fn(Builder, Duration) -> Builder;
    let durations: [(&str, Set); 7] = [
        ("acquire_timeout", Builder::acquire_timeout),
        ("connect_timeout", Builder::connect_timeout),
        ("idle_timeout", |b, d| b.idle_timeout(d)),
        ("max_lifetime", |b, d| b.max_lifetime(d)),
        ("keep_alive_interval", |b, d| b.keep_alive_interval(d)),
        ("keep_alive_timeout", Builder::keep_alive_timeout),
        ("deadline", |b, d| b.deadline(d)),
    ];
    for (field, set) in durations {
        refused(field, set(Pool::builder("http://127.0.0.1:1"), zero));
    }
}

#[test]
fn a_backoff_that_would_spin_or_mean_nothing_is_refused() {
    let good = Backoff::default();
    let bad = [
        Backoff {
            base: Duration::ZERO,
            ..good
        },
        Backoff {
            multiplier: 0.9,
            ..good
        },
        Backoff { jitter: 1.1, ..good },
        Backoff {
            max: Duration::from_millis(1),
            ..good
        },
    ];
    for backoff in bad {
        refused("backoff", Pool::builder("http://127.0.0.1:1").backoff(backoff));
    }
}

#[test]
fn what_is_no_target_is_refused_without_its_credentials() {
    for target in [
        "",
        "localhost:1",
        "ftp://localhost",
        "http://localhost/path",
        "unix:",
        "http://[::1",
    ] {
        refused("target", Pool::builder(target));
    }
    let text = Pool::builder("http://joe:secret@localhost:1")
        .build()
        .unwrap_err()
        .to_string();
    assert!(text.starts_with("target: ") && !text.contains("secret"), "{text}");
}

#[tokio::test]
async fn values_at_the_edge_work() {
    let server = TestServer::start().await;
    let pool = Pool::builder(server.uri())
        .max_connections(usize::MAX)
        .max_concurrent_streams(u32::MAX)
        .max_total_uses(u64::MAX)
        .max_waiters(usize::MAX)
        .overflow(Overflow::Loose { max_extra: usize::MAX })
        .acquire_timeout(Duration::MAX)
        .connect_timeout(Duration::MAX)
        .idle_timeout(Duration::MAX)
        .max_lifetime(Duration::MAX)
        .drain_timeout(Duration::MAX)
        .keep_alive_interval(Duration::MAX)
        .keep_alive_timeout(Duration::MAX)
        .deadline(Duration::MAX)
        .build()
        .unwrap();
    let client = Client::new(pool.clone());
    client.unary(lasting(0)).await.unwrap();
    client.with_deadline(Duration::MAX).unary(lasting(0)).await.unwrap();
    within("shutdown", pool.shutdown(Duration::MAX)).await;
}
