//! The servers that the other tests stand on, proved against tonic's own client.

mod server;
