//! What Neo N3 fixes: public keys, verification scripts, script hashes, addresses, signatures.
//!
//! A contract that keys open is a short script; its hash is the account on the chain, and the address is that hash
//! written for people. So keys and a threshold give exactly one address, and nobody has to be asked whose it is.

mod keys;
mod script;
mod script_hash;

pub use self::{
    keys::{PublicKey, SIGNATURE_BYTES, Signature},
    script::{MAX_KEYS, multi_signature, single_signature},
    script_hash::{ADDRESS_VERSION, AddressFlaw, ScriptHash},
};
