//! The chunked coding, read exactly (RFC 9112 7.1) for both sides.
//!
//! Stricter than the RFC: a size is one to eight hexadecimal digits without padding, there are no
//! extensions, every line ends in CRLF. What differs is refused (catalogue B7): each leniency here has
//! been a smuggling hole somewhere. Trailers are read, bounded and dropped (catalogue V-TRL).

/// Bytes of trailers that are read before the body is refused.
const TRAILERS: u16 = 8192;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Digits of a size read so far.
    Size(u8),
    SizeLf,
    Data,
    DataCr,
    DataLf,
    /// At the start of a line after the last chunk.
    TrailerStart,
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
    trailers: u16,
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
        Decoder { state: State::Size(0), size: 0, trailers: 0, total: 0 }
    }
}

impl Decoder {
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
            (State::Size(digits), _) => {
                let value = (byte as char).to_digit(16).ok_or(ChunkError::Grammar)?;
                let padded = digits == 1 && self.size == 0;
                if digits >= 8 || padded {
                    return Err(ChunkError::Grammar);
                }
                self.size = self.size << 4 | u64::from(value);
                State::Size(digits + 1)
            }
            (State::SizeLf, b'\n') if self.size == 0 => State::TrailerStart,
            (State::SizeLf, b'\n') => {
                self.total += self.size;
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
            (State::Trailer, b'\r') => State::TrailerLf,
            (State::TrailerLf, b'\n') => State::TrailerStart,
            (State::TrailerStart | State::Trailer, byte) if byte >= b' ' && byte != 0x7f || byte == b'\t' => {
                self.trailers += 1;
                if self.trailers > TRAILERS {
                    return Err(ChunkError::TooLong);
                }
                State::Trailer
            }
            _ => return Err(ChunkError::Grammar),
        })
    }
}
