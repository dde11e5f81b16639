//! The chunked coding, read exactly (RFC 9112 7.1) for both sides.
//!
//! For requests stricter than the RFC: a size is one to eight hexadecimal digits without padding, there
//! are no extensions, a trailer is a field, every line ends in CRLF. What differs is refused (catalogue
//! B7): each leniency here has been a smuggling hole somewhere. Old origins pad their sizes with zeros and spaces, and
//! extensions must be ignored (7.1.1), so an answer may have them: its chunks are written anew, and
//! nothing of them passes. Trailers are read, bounded and dropped (catalogue V-TRL).

use super::head::is_tchar;

/// Bytes of trailers and extensions that are read before a body is refused.
const EXTRA: u16 = 8192;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Digits of a size read so far.
    Size(u8),
    /// White space or an extension after a size: answers only.
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    /// At the start of a line after the last chunk.
    TrailerStart,
    /// In the name of a trailer: requests only.
    TrailerName,
    Trailer,
    TrailerLf,
    EndLf,
    Done,
}

/// A decoder in the middle of a chunked body.
#[derive(Clone, Copy, Debug)]
pub struct Decoder {
    state: State,
    size: u64,
    /// Bytes of trailers and extensions so far.
    extra: u16,
    /// Padding and extensions are passed over.
    lenient: bool,
    /// Bytes of data announced by the chunk sizes so far.
    pub total: u64,
}

/// What came of one piece of input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    pub consumed: usize,
    pub done: bool,
}

/// The body is not chunked as it should be, or longer than allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChunkError {
    Grammar,
    TooLong,
}

impl Default for Decoder {
    fn default() -> Self {
        Decoder { state: State::Size(0), size: 0, extra: 0, lenient: false, total: 0 }
    }
}

impl Decoder {
    /// A decoder for an origin's answer.
    pub fn lenient() -> Self {
        Decoder { lenient: true, ..Decoder::default() }
    }

    /// Decode `input`, giving each run of data to `data`, until it ends or the body does. The body is
    /// refused as soon as a chunk size takes it over `limit`.
    pub fn feed(
        &mut self,
        input: &[u8],
        limit: u64,
        mut data: impl FnMut(&[u8]),
    ) -> Result<Progress, ChunkError> {
        let mut pos = 0;
        while self.state != State::Done {
            let Some(byte) = input.get(pos) else { return Ok(Progress { consumed: pos, done: false }) };
            if self.state == State::Data {
                let run = usize::try_from(self.size).unwrap_or(usize::MAX).min(input.len() - pos);
                data(&input[pos..pos + run]);
                pos += run;
                self.size -= run as u64;
                if self.size == 0 {
                    self.state = State::DataCr;
                }
                continue;
            }
            self.state = self.step(*byte, limit)?;
            pos += 1;
        }
        Ok(Progress { consumed: pos, done: true })
    }

    fn step(&mut self, byte: u8, limit: u64) -> Result<State, ChunkError> {
        Ok(match (self.state, byte) {
            (State::Size(digits), b'\r') if digits > 0 => State::SizeLf,
            (State::Size(digits), b' ' | b'\t' | b';') if digits > 0 && self.lenient => {
                self.skip(State::Extension)?
            }
            (State::Extension, b'\r') => State::SizeLf,
            (State::Extension, byte) if byte != b'\n' => self.skip(State::Extension)?,
            (State::Size(digits), _) => {
                let value = (byte as char).to_digit(16).ok_or(ChunkError::Grammar)?;
                let padded = digits > 0 && self.size == 0 && !self.lenient;
                if padded || digits >= if self.lenient { 16 } else { 8 } || self.size >> 32 != 0 {
                    return Err(ChunkError::Grammar);
                }
                self.size = self.size << 4 | u64::from(value);
                State::Size(digits + 1)
            }
            (State::SizeLf, b'\n') if self.size == 0 => State::TrailerStart,
            (State::SizeLf, b'\n') => {
                self.total = self.total.saturating_add(self.size);
                if self.total > limit {
                    return Err(ChunkError::TooLong);
                }
                State::Data
            }
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => State::Size(0),
            (State::TrailerStart, b'\r') => State::EndLf,
            (State::EndLf, b'\n') => State::Done,
            (State::TrailerStart, b' ' | b'\t' | b':') => return Err(ChunkError::Grammar),
            (State::TrailerStart | State::TrailerName, byte) if !self.lenient && is_tchar(byte) => {
                self.skip(State::TrailerName)?
            }
            (State::TrailerName, b':') => self.skip(State::Trailer)?,
            (State::TrailerStart, _) if !self.lenient => return Err(ChunkError::Grammar),
            (State::Trailer, b'\r') => State::TrailerLf,
            (State::TrailerLf, b'\n') => State::TrailerStart,
            (State::TrailerStart | State::Trailer, byte) if byte >= b' ' && byte != 0x7f || byte == b'\t' => {
                self.skip(State::Trailer)?
            }
            _ => return Err(ChunkError::Grammar),
        })
    }

    /// One byte of what is read and dropped.
    fn skip(&mut self, state: State) -> Result<State, ChunkError> {
        self.extra += 1;
        if self.extra > EXTRA { Err(ChunkError::TooLong) } else { Ok(state) }
    }
}
