"""Files that try to run something, connect to something, or reach files that are not theirs.

Each function writes files of a kind into a folder and returns their paths. `place` is what their
code would make; `port` is listened to on 127.0.0.1, so that a connection is seen.
"""

import json
import os
import pickle
import shutil
import socket
import subprocess
from pathlib import Path

import onnx
import torch
from onnx import TensorProto, helper

from tests.helpers.bad_images import bad_images, encoded, odd_images
from tests.helpers.changes import valid


class Call:
    """Calls a function when it is unpickled."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


def calls(place: Path, port: int) -> dict[str, Call]:
    """Return what a pickle may call: files, processes, sockets, programs."""
    return dict(
        mkdir=Call(os.mkdir, str(place)),
        system=Call(os.system, f'touch {place}'),
        process=Call(subprocess.Popen, ['touch', str(place)]),
        connection=Call(socket.create_connection, ('127.0.0.1', port)),
        file=Call(open, str(place), 'w'),
        exec=Call(exec, f'open({str(place)!r}, "w")'),
        eval=Call(eval, f'__import__("os").mkdir({str(place)!r})'),
        unpickle=Call(pickle.loads, pickle.dumps(Call(os.mkdir, str(place)))),
        remove=Call(shutil.rmtree, str(place)),
    )


def checkpoints(folder: Path, weights: Path, place: Path, port: int) -> list[Path]:
    """Write checkpoints that carry code, in every form that `torch.load` knows, and odd ones."""
    good, paths = torch.load(weights, weights_only=True), []

    def add(name: str) -> Path:
        paths.append(folder / name)
        return paths[-1]

    for name, call in calls(place, port).items():
        torch.save(dict(good, trap=call), add(f'{name}.pth'))
    trap = Call(os.mkdir, str(place))
    torch.save(trap, add('alone.pth'))
    torch.save(dict(good, meta=dict(epoch=trap)), add('meta.pth'))
    torch.save(dict(state_dict={'a': trap}), add('weight.pth'))
    torch.save(dict(good, trap=trap), add('legacy.pth'), _use_new_zipfile_serialization=False)
    for protocol in (0, 4):
        add(f'pickle{protocol}.pth').write_bytes(pickle.dumps(trap, protocol))
    program = dict(good, meta=dict(good.get('meta', {}), config=f'open({str(place)!r}, "w")'))
    torch.save(program, add('config_in_meta.pth'))
    torch.jit.script(torch.nn.ReLU()).save(add('script.pth'))
    add('pickle.safetensors').write_bytes(pickle.dumps(trap))
    add('huge_header.safetensors').write_bytes(b'\xff' * 8 + b'{}')
    header = json.dumps({'a': dict(dtype='F32', shape=[1 << 40], data_offsets=[0, 4]) | {}})
    add('huge_tensor.safetensors').write_bytes(
        len(header).to_bytes(8, 'little') + header.encode() + bytes(4)
    )
    os.symlink('/dev/zero', add('endless.pth'))
    add('empty.pth').write_bytes(b'')
    add('cut.pth').write_bytes(weights.read_bytes()[:1000])
    return paths


def configs(folder: Path, place: Path) -> list[Path]:
    """Write YAML and JSON configs that would run something where their tags count."""
    texts = {
        'apply.yaml': f'a: !!python/object/apply:os.mkdir ["{place}"]',
        'new.yaml': f'a: !!python/object/new:os.mkdir ["{place}"]',
        'system.yml': f'a: !!python/object/apply:os.system ["touch {place}"]',
        'process.yaml': f'!!python/object/apply:subprocess.Popen [["touch", "{place}"]]',
        'module.yaml': 'a: !!python/module:antigravity',
        'name.yaml': 'type: !!python/name:os.system',
        'based.yaml': '_base_: apply.yaml',
        'based.json': '{"_base_": "apply.yaml"}',
        'laughs.yaml': 'a: &a [x]\n'
        + ''.join(f'{n}: &{n} [{", ".join(["*" + m] * 9)}]\n' for m, n in zip('abcd', 'bcde')),
        'deep.json': '{"a":' * 5000 + '1' + '}' * 5000,
        'deep.yaml': '[' * 3000 + ']' * 3000,
        'eval.json': json.dumps(dict(a=f'{{{{ open({str(place)!r}, "w") }}}}', _delete_=True)),
        'list.json': '[1, 2]',
        'number.yaml': '5',
        'nothing.yaml': '',
        'nul.yaml': 'a: "\0"',
        'remote.json': '{"_base_": "http://127.0.0.1:9/a.py"}',
        'scheme.json': '{"_base_": "nothing::a.py"}',
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    return [folder / name for name in texts]


def with_names(data: dict, names: list[str]) -> dict:
    """Return a valid file with further keypoints, of which none is labeled, and these names."""
    data['categories'][0]['keypoints'] = names
    for each in data['annotations']:
        each['keypoints'] += [0, 0, 0] * (len(names) - len(each['keypoints']) // 3)
    return data


def annotations(folder: Path, place: Path, port: int, names: list[str]) -> list[Path]:
    """Write annotation files whose image names lead elsewhere, and some that are no use.

    Args:
        folder: of the files; those in its folder `coco` have other keypoints.
        place: that code would make.
        port: that is listened to.
        names: of these keypoints.

    Returns:
        The files of the folder itself.
    """
    leading = dict(
        outside='../../../../../etc/hostname',
        absolute='/etc/hostname',
        url=f'http://127.0.0.1:{port}/a.png',
        petrel=f's3://127.0.0.1:{port}/a.png',
        command=f'|touch {place}',
        shell=f'$(touch {place}).png',
        device='/dev/zero',
        nul='a\0b.png',
        long='x' * 5000 + '.png',
    )
    contents = dict(
        deep='[' * 100_000, code=f'__import__("os").mkdir({str(place)!r})', number='9' * 5000
    )
    (folder / 'coco').mkdir()
    for parent, data in ((folder, valid()), (folder / 'coco', with_names(valid(), names))):
        for name, file_name in leading.items():
            data['images'][0]['file_name'] = file_name
            (parent / f'{name}.json').write_text(json.dumps(data))
        for name, text in contents.items():
            (parent / f'{name}.json').write_text(text)
        (parent / 'pickle.json').write_bytes(pickle.dumps(Call(os.mkdir, str(place))))
    return sorted(folder.glob('*.json'))


def exports(folder: Path, place: Path, port: int) -> list[Path]:
    """Write exports of annotation tools: XML that includes, grows or nests, JSON, and pipes."""
    people = (
        '<image id="0" name="a.png" width="{width}" height="40"><skeleton label="s">'
        '<points label="1" points="{points}"/></skeleton></image>'
    )

    def xml(before: str = '', inside: str = '', width: str = '60', points: str = '1,2') -> str:
        person = people.format(width=width, points=points)
        return f'{before}<annotations>{person}{inside}</annotations>'

    def entities(*lines: str) -> str:
        return f'<!DOCTYPE annotations [{"".join(f"<!ENTITY {line}>" for line in lines)}]>'

    include = '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/hostname"/>'
    address = f'http://127.0.0.1:{port}/a'
    laughs = [f'{b} "{f"&{a};" * 10}"' for a, b in zip('abcdefghi', 'bcdefghij')]
    texts = {
        'plain.xml': xml(),
        'laughs.xml': xml(entities('a "ha"', *laughs), '&j;'),
        'blowup.xml': xml(entities(f'a "{"a" * 100_000}"'), '&a;' * 10_000),
        'recursion.xml': xml(entities('a "&b;"', 'b "&a;"'), '&a;'),
        'file.xml': xml(entities('a SYSTEM "file:///etc/hostname"'), '&a;'),
        'url.xml': xml(entities(f'a SYSTEM "{address}"'), '&a;'),
        'parameter.xml': xml(entities(f'% a SYSTEM "{address}"').replace(']', '%a;]')),
        'doctype.xml': xml(f'<!DOCTYPE annotations SYSTEM "{address}">'),
        'include.xml': xml(inside=include),
        'style.xml': xml(f'<?xml-stylesheet href="{address}"?>'),
        'deep.xml': xml(inside='<a>' * 200_000 + '</a>' * 200_000),
        'attribute.xml': xml(points='1,' + '2' * 10_000_000),
        'attributes.xml': xml(inside='<a ' + ' '.join(f'a{i}=""' for i in range(100_000)) + '/>'),
        'digits.xml': xml(width='9' * 5000),
        'negative.xml': xml(width='-60'),
        'nan.xml': xml(width='nan'),
        'code.xml': xml(points=f'__import__("os").mkdir({str(place)!r}),1'),
        'nul.xml': xml(inside='\0'),
        'empty.xml': '',
        'deep.json': '[' * 100_000,
        'numbers.json': '9' * 5000,
        'tasks.json': json.dumps([dict(data=dict(image='a'), annotations=[dict(result=5)])]),
        'lines.jsonl': '1\n2\n',
    }  # fmt: skip
    for name, text in texts.items():
        (folder / name).write_text(text)
    (folder / 'pickle.xml').write_bytes(pickle.dumps(Call(os.mkdir, str(place))))
    os.symlink('/dev/zero', folder / 'endless.xml')
    os.symlink('/dev/zero', folder / 'endless.json')
    os.mkfifo(folder / 'pipe.xml')
    os.mkfifo(folder / 'pipe.json')
    return sorted(folder.iterdir())


def images(folder: Path, place: Path) -> list[Path]:
    """Write images that are none, of names that a shell or a library might take for more."""
    eps = (
        f'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 60 40\n({place}) (w) file closefile\n'
        'showpage\n%%EOF\n'
    )
    contents = {
        **{f'bad{i}.png': content for i, content in enumerate(bad_images().values())},
        **{f'odd{i}.png': content for i, content in enumerate(odd_images().values())},
        'eps.png': eps.encode(),
        'svg.png': f'<svg xmlns="http://www.w3.org/2000/svg"><image href="file://{place}"/></svg>',
        'exr.png': b'\x76\x2f\x31\x01' + bytes(300),
        'hdr.png': b'#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 99999 +X 99999\n',
        f';touch {place.name};.png': encoded('.png'),
        f'$(touch {place.name}).png': encoded('.png'),
        f'`touch {place.name}`.png': encoded('.png'),
        'a\nb.png': encoded('.png'),
        '%s%n%x.png': encoded('.png'),
        '..png': encoded('.png'),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return [folder / name for name in contents]


def videos(folder: Path, port: int) -> list[Path]:
    """Write play lists that are named as videos: a player would open what they name."""
    url = f'http://127.0.0.1:{port}/a.ts'
    texts = {
        'list.mp4': f'#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{url}\n#EXT-X-ENDLIST\n',
        'key.mkv': '#EXTM3U\n#EXT-X-TARGETDURATION:1\n'
        f'#EXT-X-KEY:METHOD=AES-128,URI="{url}"\n#EXTINF:1,\nfile:///etc/hostname\n',
        'concat.avi': f"ffconcat version 1.0\nfile '{url}'\n",
        'session.mov': 'v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\n'
        f'm=video {port} RTP/AVP 96\n',
        'dash.webm': f'<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>{url}</BaseURL></MPD>',
        'text.mp4': 'no video\n',
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    return [folder / name for name in texts]


def onnx_files(folder: Path, shipped: Path) -> list[Path]:
    """Write ONNX files that name other files, unknown operators or odd facts of the model."""
    facts = {each.key: each.value for each in onnx.load(shipped).metadata_props}

    def write(name: str, nodes, initial=(), **changed) -> None:
        image = helper.make_tensor_value_info('images', TensorProto.FLOAT, [1, 3, 'h', 'w'])
        graph = helper.make_graph(list(nodes), 'a', [image], [image], list(initial))
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)])
        model.ir_version = 8
        helper.set_model_props(model, {**facts, **changed})
        (folder / name).write_bytes(model.SerializeToString())

    for i, location in enumerate(('/etc/hostname', '../../../../../../etc/hostname')):
        tensor = TensorProto(name='w', data_type=TensorProto.UINT8, dims=[4])
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key='location', value=location)
        write(f'outside{i}.onnx', [helper.make_node('Identity', ['w'], ['b'])], [tensor])
    write('operator.onnx', [helper.make_node('Run', ['images'], ['b'], domain='evil')])
    write('python.onnx', [helper.make_node('PythonOp', ['images'], ['b'], domain='com.microsoft')])
    write('plain.onnx', [])  # one output in place of four
    for name, value in dict(resize='[', dataset_meta='5', schema='x').items():
        write(f'{name}.onnx', [], **{name: value})
    odd = dict(
        nothing=dict(kind='BottomupResize', size=[0, 0], multiple=0),
        negative=dict(kind='BottomupResize', size=[-64, -64], multiple=32),
        large=dict(kind='BottomupResize', size=[1 << 17, 1 << 17], multiple=32),
        kind=dict(kind='os.system', size=[64, 64], multiple=32),
        word='os.system',
    )
    meta = json.loads(facts['dataset_meta'])
    odd_meta = dict(
        links=dict(meta, skeleton_links=[[0, 99], [-1, 'x']]),
        colors=dict(meta, skeleton_link_colors=5, keypoint_colors=[]),
        names=dict(meta, keypoint_id2name={'0': 'nose'}),
        texts=dict(meta, keypoint_id2name={'0': [1], 'x': None}),
    )
    changes = {name: dict(resize=json.dumps(value)) for name, value in odd.items()}
    changes |= {name: dict(dataset_meta=json.dumps(value)) for name, value in odd_meta.items()}
    for name, changed in changes.items():
        model = onnx.load(shipped)
        helper.set_model_props(model, {**facts, **changed})
        (folder / f'{name}.onnx').write_bytes(model.SerializeToString())
    whole = shipped.read_bytes()
    (folder / 'cut.onnx').write_bytes(whole[: len(whole) // 2])
    (folder / 'pickle.onnx').write_bytes(pickle.dumps(Call(os.mkdir, 'place')))
    (folder / 'empty.onnx').write_bytes(b'')
    return sorted(folder.glob('*.onnx'))
