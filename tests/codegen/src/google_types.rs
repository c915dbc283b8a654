//! Well-known types that are generated like all others, with `compile_well_known_types`.

pub mod awkward {
    pub mod wkt {
        include!(concat!(env!("OUT_DIR"), "/google/awkward.wkt.rs"));
    }
}

pub mod google {
    // What Google says in its comments is not all Rust.
    #[allow(rustdoc::all)]
    pub mod protobuf {
        include!(concat!(env!("OUT_DIR"), "/google/google.protobuf.rs"));
    }
}

#[pool_runtime::pooled_client(awkward::wkt::well_known_client::WellKnownClient)]
pub struct WellKnown;

/// The types of the methods are those of [`google`].
pub async fn nothing(client: &WellKnown) -> Result<google::protobuf::Empty, tonic::Status> {
    let response = client.nothing(google::protobuf::Empty::default()).await?;
    Ok(response.into_inner())
}
