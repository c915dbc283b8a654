//! Compiles .proto files for pooled clients.
