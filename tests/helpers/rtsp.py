"""A camera that speaks RTSP on this machine: frames say their number, and come at a steady pace."""

import re
import socket
import socketserver
import struct
import threading
import time
from contextlib import contextmanager
from fractions import Fraction

import numpy as np

STEP, DIGITS = 8, 32  # grays of the two digits that frames show, one per half
SIZE = (64, 48)
SDP = (
    'v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n'
    'm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\n'
    'a=control:track\r\n'
)


def image_of(number):
    digits = np.array(divmod(number, DIGITS)[::-1], np.uint8) * STEP
    halves = np.repeat(digits, SIZE[0] // 2)
    return np.ascontiguousarray(np.broadcast_to(halves[:, None], (SIZE[1], SIZE[0], 3)))


def number_of(image):
    """The number that a frame shows."""
    low, high = (round(half.mean() / STEP) for half in np.split(image.astype(float), 2, axis=1))
    return low + DIGITS * high


class Camera(socketserver.ThreadingTCPServer):
    """Serve one stream over RTSP, RTP within the same connection or by UDP alone.

    Args:
        frames: how many, then it hangs up.
        rate: frames per second.
        udp: refuse RTP within the connection.

    Attributes:
        sent: how many frames have left.
    """

    allow_reuse_address = daemon_threads = True

    def __init__(self, frames, rate, udp):
        super().__init__(('127.0.0.1', 0), _Session)
        self.udp = udp
        self.frames, self.rate, self.sent = frames, rate, 0
        self.url = f'rtsp://127.0.0.1:{self.server_address[1]}/live'


class _Session(socketserver.StreamRequestHandler):
    def handle(self):
        while line := self.rfile.readline().decode():
            method, url, _ = line.split()
            headers = dict(each.split(': ', 1) for each in iter(self._header, ''))
            self._answer(method, url, headers)
            if method == 'PLAY':
                return self._play()

    def _header(self):
        return self.rfile.readline().decode().strip()

    def _answer(self, method, url, headers):
        lines, body = [f'CSeq: {headers["CSeq"]}', 'Session: 1'], ''
        transport, status = headers.get('Transport', ''), '200 OK'
        if method == 'OPTIONS':
            lines.append('Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN')
        if method == 'DESCRIBE':
            body = SDP
            lines += ['Content-Type: application/sdp', f'Content-Base: {url}/']
        if method == 'SETUP' and self.server.udp:
            if ports := re.search(r'client_port=(\d+)', transport):
                self.client = (self.client_address[0], int(ports[1]))
                lines.append(f'Transport: {transport};server_port=9-10')
            else:
                status = '461 Unsupported Transport'
        elif method == 'SETUP':
            lines.append('Transport: RTP/AVP/TCP;unicast;interleaved=0-1')
        lines.append(f'Content-Length: {len(body)}')
        self.wfile.write(
            (f'RTSP/1.0 {status}\r\n' + '\r\n'.join(lines) + '\r\n\r\n' + body).encode()
        )

    def _play(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as packets:
            packets.bind(('127.0.0.1', 0))
            packets.settimeout(0.2)
            done = threading.Event()
            forward = threading.Thread(target=self._forward, args=(packets, done))
            forward.start()
            self._encode(packets.getsockname()[1], done)
            forward.join()

    def _encode(self, port, done):
        # FFmpeg packs H.264 into RTP, which only leaves by UDP.
        import av

        server, start = self.server, time.monotonic()
        with av.open(f'rtp://127.0.0.1:{port}', 'w', format='rtp') as container:
            video = container.add_stream('libx264', rate=Fraction(server.rate))
            (video.width, video.height), video.pix_fmt = SIZE, 'yuv420p'
            video.options = dict(tune='zerolatency', preset='ultrafast', g='5')
            for i in range(server.frames):
                time.sleep(max(start + i / server.rate - time.monotonic(), 0))
                if done.is_set():
                    return
                frame = av.VideoFrame.from_ndarray(image_of(i), format='bgr24')
                container.mux(video.encode(frame))
                server.sent = i + 1
        done.set()

    def _forward(self, packets, done):
        try:
            while not done.is_set():
                try:
                    packet = packets.recv(65536)
                except TimeoutError:
                    continue
                if 192 <= packet[1] <= 223:  # reports of RTCP go elsewhere
                    continue
                if self.server.udp:
                    packets.sendto(packet, self.client)
                else:
                    self.wfile.write(struct.pack('>cBH', b'$', 0, len(packet)) + packet)
        except OSError:
            done.set()  # whoever watched has left


@contextmanager
def camera(frames=100, rate=25, udp=False):
    """Yield a `Camera` that is on."""
    with Camera(frames, rate, udp) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()
