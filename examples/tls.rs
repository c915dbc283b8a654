//! An `https` target with a certificate authority of one's own, and a client certificate that the server asks for.
//!
//! `cargo run --example tls --features tls`

use examples::helloworld::HelloRequest;
use pool_runtime::{Pool, TlsConfig, pooled_client};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tonic::transport::{Certificate, Identity, ServerTlsConfig};

#[pooled_client(examples::helloworld::greeter_client::GreeterClient)]
struct Greeter;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Certificates for this run: an authority, and one each for the server and the client.
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
    let issue = |name: &str| -> Result<(String, String), rcgen::Error> {
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(vec![name.to_owned()])?.signed_by(&key, &authority)?;
        Ok((certificate.pem(), key.serialize_pem()))
    };
    let (server_certificate, server_key) = issue("localhost")?;
    let (client_certificate, client_key) = issue("client")?;

    let server = ServerTlsConfig::new()
        .identity(Identity::from_pem(server_certificate, server_key))
        .client_ca_root(Certificate::from_pem(authority.pem()));
    let address = examples::serve_tls(server).await?;

    let tls = TlsConfig::new()
        .ca_certificate(authority.pem())
        .domain_name("localhost")
        .identity(client_certificate, client_key);
    let pool = Pool::builder(format!("https://{address}")).tls(tls).connect().await?;
    let reply = Greeter::new(pool).say_hello(HelloRequest::default()).await?;
    println!("over TLS: {}", reply.into_inner().message);
    Ok(())
}
