"""`evoke export --format mlx-python`, its module put into mlx-lm's Qwen3.

    mlx_python_test.py EVOKE KERNEL.metal CPU_KERNEL

Metal does not run here, so mx.fast.metal_kernel is a stand-in that checks what
it is given and computes attention where the kernels would. Exit code 77: mlx
or mlx-lm are not installed.
"""

import importlib.util
import io
import contextlib
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest
import warnings

try:
    import mlx.core as mx
    import mlx_lm.models.qwen3 as qwen3
    from mlx_lm.models.cache import make_prompt_cache
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

EVOKE, KERNEL, CPU_KERNEL = sys.argv[1:4]
mx.set_default_device(mx.cpu)


def run_evoke(*arguments):
    return subprocess.run(
        [EVOKE, *arguments], capture_output=True, text=True, timeout=60
    )


def load(path):
    spec = importlib.util.spec_from_file_location("exported_kernel", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class StandIn:
    """In the place of mx.fast.metal_kernel."""

    def __init__(self):
        self.made = []  # keyword arguments of every metal_kernel
        self.calls = []  # (name, keyword arguments) of every launch
        self.answer = None

    def __call__(self, **made):
        self.made.append(made)

        def launch(**call):
            self.calls.append((made["name"], call))
            inputs = dict(zip(made["input_names"], call["inputs"], strict=True))
            assert len(call["output_shapes"]) == len(made["output_names"])
            if "query" in inputs:
                causal = "constexpr constant int causal = 1;" in made["header"]
                self.answer = mx.fast.scaled_dot_product_attention(
                    inputs["query"],
                    inputs["key"],
                    inputs["value"],
                    scale=inputs["scale"].item(),
                    mask="causal" if causal else None,
                )
            outputs = []
            for name, shape, dtype in zip(
                made["output_names"], call["output_shapes"], call["output_dtypes"]
            ):
                if name == "output":
                    assert shape == self.answer.shape, (shape, self.answer.shape)
                    outputs.append(self.answer.astype(dtype))
                else:
                    outputs.append(mx.zeros(shape, dtype))
            return outputs

        return launch

    def of(self, kernel):
        return [call for name, call in self.calls if f"_{kernel}_" in name]


def tiny_model():
    mx.random.seed(1)
    model = qwen3.Model(
        qwen3.ModelArgs(
            model_type="qwen3",
            hidden_size=64,
            num_hidden_layers=3,
            intermediate_size=96,
            num_attention_heads=4,
            rms_norm_eps=1e-6,
            vocab_size=50,
            num_key_value_heads=2,
            max_position_embeddings=512,
            rope_theta=1e6,
            head_dim=16,
            tie_word_embeddings=True,
        )
    )
    model.set_dtype(mx.bfloat16)
    mx.eval(model.parameters())
    return model


def logits_of_text(model, steps=9, cache=None):
    """A prompt of 6 tokens, then one at a time."""
    cache = cache or make_prompt_cache(model)
    rows = [model(mx.array([[1, 2, 3, 4, 5, 6]]), cache=cache)[:, -1]]
    for token in range(steps):
        rows.append(model(mx.array([[token]]), cache=cache)[:, -1])
    return mx.stack(rows).astype(mx.float32)


class Export(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.path = pathlib.Path(cls.folder.name) / "exported_kernel.py"
        ended = run_evoke(
            "export", KERNEL, "--format", "mlx-python", "-o", str(cls.path)
        )
        assert ended.returncode == 0, ended.stderr
        cls.real = mx.fast.metal_kernel

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def setUp(self):
        self.module = load(self.path)
        self.stand_in = StandIn()
        mx.fast.metal_kernel = self.stand_in
        self.plain_attention = qwen3.scaled_dot_product_attention

    def tearDown(self):
        mx.fast.metal_kernel = self.real
        qwen3.scaled_dot_product_attention = self.plain_attention

    def run_hooked(self, model, **options):
        apply_hook, remove_hook = self.module.create_metal_qwen3_optimization_hook()
        original = apply_hook()
        self.assertIsNotNone(original)
        said = io.StringIO()
        with contextlib.redirect_stderr(said), warnings.catch_warnings(record=True):
            warnings.simplefilter("always")
            try:
                logits = logits_of_text(model, **options)
                mx.eval(logits)
            finally:
                remove_hook(original)
        return logits, said.getvalue()

    def test_computes_attention_of_every_layer(self):
        model = tiny_model()
        plain = logits_of_text(model)
        hooked, said = self.run_hooked(model)
        self.assertLess(mx.abs(plain - hooked).max().item(), 0.05)
        report = self.module.report()
        # 3 layers; keys are 7 in the first step of decoding, which is too few.
        self.assertEqual(report["dispatches"], {"prompt": 3, "decode": 3 * 8})
        self.assertEqual(sum(report["fallbacks"].values()), 3)
        ((reason, _),) = report["fallbacks"].items()
        self.assertEqual(
            reason, "no variant takes it (B 1, heads 4:2, D 16, one query)"
        )
        self.assertIn("3 calls fell back: no variant takes it", said)
        self.assertEqual(len(self.stand_in.of("decode_partial")), 24)
        self.assertEqual(len(self.stand_in.of("decode_combine")), 24)
        self.assertEqual(len(self.stand_in.of("one_pass")), 3)
        # One metal_kernel per launch and constants, however long the text.
        self.assertEqual(len(self.stand_in.made), 3)
        self.assertEqual(len({each["name"] for each in self.stand_in.made}), 3)

    def test_gives_metal_kernel_what_the_plan_says(self):
        self.run_hooked(tiny_model())
        for made in self.stand_in.made:
            self.assertIs(made["ensure_row_contiguous"], False)
            self.assertRegex(made["name"], r"^\w+$")
            self.assertIn("inline float twice(float x)", made["header"])
            self.assertIn(r"// 'Quotes' and \ stand here", made["header"])
            self.assertNotIn("KERNEL", made["header"] + made["source"])
        partial, combine, one_pass = (
            next(each for each in self.stand_in.made if f"_{kernel}_" in each["name"])
            for kernel in ("decode_partial", "decode_combine", "one_pass")
        )
        for line in ("D = 16", "Hq = 4", "Hkv = 2", "causal = 0", "splits = 2"):
            self.assertIn(f"constexpr constant int {line};\n", partial["header"])
        for line in ("causal = 1", "splits = 4"):
            self.assertIn(f"constexpr constant int {line};\n", one_pass["header"])
        self.assertIn("twice(scale) * Lk + rounds", partial["source"])
        self.assertEqual(partial["output_names"], ["partial_output", "partial_sum"])
        self.assertEqual(
            combine["input_names"][:2], ["partial_output", "partial_sum"]
        )

        call = self.stand_in.of("decode_partial")[-1]  # Lk 15
        # threadgroups (Hq, rounds, B) of 32 x 2 threads, counted in threads
        self.assertEqual(call["grid"], (4 * 32, 2 * 2, 1))
        self.assertEqual(call["threadgroup"], (32, 2, 1))
        self.assertEqual(call["output_shapes"], [(1, 4, 2, 16), (1, 4, 2, 32)])
        self.assertEqual(call["output_dtypes"], [mx.float32, mx.float32])
        self.assertEqual(call["init_value"], 0)
        inputs = dict(zip(partial["input_names"], call["inputs"]))
        self.assertEqual(inputs["Lk"].item(), 15)
        self.assertEqual(inputs["Lk"].dtype, mx.int32)
        self.assertEqual(inputs["Lk"].ndim, 0)
        self.assertEqual(inputs["rounds"].item(), 2)
        # (15 - 1000) / 7 is -140 towards zero, and -140 % 5 is 0; Python alone
        # would say -141 and 4.
        self.assertEqual(inputs["margin"].item(), 0)
        self.assertEqual(
            inputs["partial_output_strides"].tolist(), [128, 32, 16, 1]
        )
        self.assertEqual(inputs["partial_output_strides"].dtype, mx.int64)
        self.assertAlmostEqual(inputs["scale"].item(), 0.25)
        # The cache as it is: 15 rows of its 256.
        self.assertEqual(inputs["key"].shape, (1, 2, 15, 16))
        call = self.stand_in.of("one_pass")[0]
        self.assertEqual(call["grid"], (2 * 32, 4 * 4, 1))
        self.assertIsNone(call["init_value"])

    def test_says_what_it_cannot_take(self):
        apply_hook, remove_hook = self.module.create_metal_qwen3_optimization_hook()
        original = apply_hook()
        q = mx.zeros((1, 4, 9, 32), mx.float32)
        k = mx.zeros((1, 2, 9, 32), mx.float32)
        hooked = qwen3.scaled_dot_product_attention
        half = (each.astype(mx.bfloat16) for each in (q, k, k))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            hooked(q, k, k, cache=None, scale=1.0, mask="causal")
            hooked(q, k, k, cache=None, scale=1.0, mask="causal")
            hooked(*half, cache=None, scale=1.0, mask=mx.zeros((9, 9), mx.bfloat16))
        remove_hook(original)
        report = self.module.report()
        self.assertEqual(report["dispatches"], {})
        self.assertEqual(sorted(report["fallbacks"].values()), [1, 2])
        self.assertIn("query is mlx.core.float32, not bfloat16", str(report))
        self.assertIn("a mask as an array", str(report))
        # Once for each reason.
        self.assertEqual(len(caught), 2)
        with self.assertRaises(NotImplementedError):
            self.module.attention(q, k, k, 1.0, True)

    def test_applies_once_and_comes_off(self):
        apply_hook, remove_hook = self.module.create_metal_qwen3_optimization_hook()
        original = apply_hook()
        self.assertIs(original, self.plain_attention)
        self.assertIsNot(qwen3.scaled_dot_product_attention, original)
        with self.assertRaisesRegex(RuntimeError, "in place already"):
            apply_hook()
        remove_hook(original)
        self.assertIs(qwen3.scaled_dot_product_attention, original)
        remove_hook(None)

    def test_module_names_its_kernel(self):
        ended = run_evoke("export", KERNEL)
        self.assertEqual(ended.returncode, 0, ended.stderr)
        self.assertEqual(ended.stdout, pathlib.Path(KERNEL).read_text())
        self.assertTrue(re.fullmatch("[0-9a-f]{32}", self.module.KERNEL_HASH))

    def test_refuses_other_dialects(self):
        ended = run_evoke("export", CPU_KERNEL, "--format", "mlx-python")
        self.assertEqual(ended.returncode, 2)
        self.assertIn("a kernel of the cpu dialect; mlx-python is", ended.stderr)
        self.assertEqual(ended.stderr.count("\n"), 1)
        self.assertEqual(ended.stdout, "")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
