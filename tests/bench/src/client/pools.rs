//! The common pools of objects, around Channels: each call checks one out for itself alone.

use std::io;
use std::net::SocketAddr;

use deadpool::managed::{Metrics, RecycleResult};
use tonic::async_trait;
use tonic::transport::Channel;

use super::{Caller, Job, channels};
use crate::Failure;
use crate::helloworld::greeter_client::GreeterClient;

/// Channels in a pool: the default of bb8 and of mobc, given to all three.
const CHANNELS: u32 = 10;

type Client = GreeterClient<Channel>;

/// Makes Channels for whichever pool, and takes each for good, as its own connection is checked by tonic.
#[derive(Debug, Clone, Copy)]
struct Manager(SocketAddr);

impl bb8::ManageConnection for Manager {
    type Connection = Client;
    type Error = io::Error;

    async fn connect(&self) -> Result<Client, io::Error> {
        channels::single(self.0).await.map_err(io::Error::other)
    }

    async fn is_valid(&self, _: &mut Client) -> Result<(), io::Error> {
        Ok(())
    }

    fn has_broken(&self, _: &mut Client) -> bool {
        false
    }
}

impl deadpool::managed::Manager for Manager {
    type Type = Client;
    type Error = io::Error;

    async fn create(&self) -> Result<Client, io::Error> {
        channels::single(self.0).await.map_err(io::Error::other)
    }

    async fn recycle(&self, _: &mut Client, _: &Metrics) -> RecycleResult<io::Error> {
        Ok(())
    }
}

#[async_trait]
impl mobc::Manager for Manager {
    type Connection = Client;
    type Error = io::Error;

    async fn connect(&self) -> Result<Client, io::Error> {
        channels::single(self.0).await.map_err(io::Error::other)
    }

    async fn check(&self, client: Client) -> Result<Client, io::Error> {
        Ok(client)
    }
}

/// bb8.
#[derive(Debug, Clone)]
pub(crate) struct Bb8(bb8::Pool<Manager>);

impl Bb8 {
    /// Opens all its Channels.
    ///
    /// # Errors
    ///
    /// It could not connect.
    pub(crate) async fn connect(address: SocketAddr) -> Result<Self, Failure> {
        let builder = bb8::Pool::builder().max_size(CHANNELS).min_idle(CHANNELS);
        Ok(Self(builder.build(Manager(address)).await?))
    }
}

impl Caller for Bb8 {
    async fn call(&mut self, job: &Job) -> Result<(), Failure> {
        let mut client = self.0.get().await?;
        client.call(job).await
    }
}

/// deadpool.
#[derive(Clone)]
pub(crate) struct Deadpool(deadpool::managed::Pool<Manager>);

impl Deadpool {
    /// Opens its Channels as they are needed.
    ///
    /// # Errors
    ///
    /// deadpool's own.
    pub(crate) async fn connect(address: SocketAddr) -> Result<Self, Failure> {
        let builder = deadpool::managed::Pool::builder(Manager(address)).max_size(CHANNELS as usize);
        Ok(Self(builder.build()?))
    }
}

impl Caller for Deadpool {
    async fn call(&mut self, job: &Job) -> Result<(), Failure> {
        let mut client = self.0.get().await?;
        client.call(job).await
    }
}

/// mobc.
#[derive(Clone)]
pub(crate) struct Mobc(mobc::Pool<Manager>);

impl Mobc {
    /// Opens its Channels as they are needed, and keeps all of them.
    ///
    /// # Errors
    ///
    /// None.
    pub(crate) async fn connect(address: SocketAddr) -> Result<Self, Failure> {
        let size = u64::from(CHANNELS);
        Ok(Self(
            mobc::Pool::builder()
                .max_open(size)
                .max_idle(size)
                .build(Manager(address)),
        ))
    }
}

impl Caller for Mobc {
    async fn call(&mut self, job: &Job) -> Result<(), Failure> {
        let mut client = self.0.get().await?;
        client.call(job).await
    }
}
