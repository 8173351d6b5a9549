"""The mutants that ``tests/mutants.py`` tries out, and the numbers that it draws from.

Each row of `MUTANTS` is a mistake that somebody could make in a line that decides a
number on a page or in a published file, with the tests that should notice it. `NUMBERS`
are the functions and constants behind the other published numbers, from which mutants
are drawn. The narrower the tests, the sooner the answer.
"""

from mutants import Mutant, Number


def tests_in(name, *tests):
    """Return the paths of tests in ``tests/test_<name>.py``; without names, of all."""
    path = f"tests/test_{name}.py"
    if not tests:
        return (path,)
    return tuple(f"{path}::test_{test}" for test in tests)


CAMERA = tests_in("camera")
TRAINING = tests_in("training")
FIGURES = tests_in("figures")
CHANCE = tests_in(
    "gate",
    "accuracy_allows_for_chance_and_not_for_more",
    "accuracy_chance_is_that_of_discordant_pairs",
    "accuracy_sentence_counts_images_lost_and_gained",
)
ENGINE = tests_in("c_engine")
OVERFLOW = tests_in(
    "c_engine",
    "network_whose_products_could_overflow_is_refused",
    "network_whose_accumulators_fit_to_the_last_bit_is_accepted",
    "network_whose_accumulator_could_overflow_is_refused",
    "network_whose_shifted_accumulator_could_overflow_is_refused",
    "engine_on_random_networks_gives_the_integers_of_numpy",
)
EMULATOR = tests_in(
    "processors",
    "known_program_has_its_known_figures",
    "variables_of_a_program_are_static_bytes",
    "program_beyond_its_memory_is_one_sentence",
    "stack_that_is_too_deep_for_a_later_image_is_noticed",
    "instructions_of_16_and_32_bits_are_counted",
)
MEMORY = tests_in("memory")
ARENA = tests_in("tflite", "arena_recommended_is_a_fifth_more_in_whole_kib")
INTEGERS = tests_in("integer_arithmetic")
SENTENCES = tests_in("report", "rate_has_as_many_digits_as_the_images_support")
SENTENCES += tests_in("report", "change_is_told_in_percentage_points")
SENTENCES += tests_in("report", "summary_has_the_numbers_of_the_report")
REPORT = tests_in("report", "report_of_a_candidate_has_its_numbers")
REPORT += tests_in("report", "report_of_a_candidate_has_the_arena_of_its_runtime")
GOLDEN_CHOICE = tests_in("gate", "golden_image_has_the_smallest_margin_above_20")
GOLDEN_CHOICE += tests_in(
    "gate", "golden_image_without_a_margin_above_20_has_the_largest"
)
GOLDEN_CHOICE += tests_in("gate", "golden_image_is_one_that_the_model_reads")
HOST = tests_in("board", "right_digits_and_differing_logits_are_counted")
HOST += tests_in("board", "reply_to_a_row_sent_twice_is_no_reply_to_the_next")
CONVERSATION = tests_in("arduino", "board_replies_as_the_protocol_says")
PREPARATION = tests_in(
    "photograph",
    "prepare_gives_a_digit_of_mnist_back",
    "prepare_fits_the_box_and_centres_the_mass",
    "box_average_rounds_halves_up",
)
SWEEP = tests_in(
    "sweep", "groups_have_mean_and_standard_deviation_over_seeds_best_first"
)
SWEEP += tests_in("sweep", "chart_draws_bytes_against_accuracy_and_the_means")
PAGE_PREPARATION = tests_in(
    "draw_digit", "preparation_on_the_page_gives_the_bytes_of_python"
)
PAD = tests_in(
    "draw_digit",
    "softmax_on_the_page_is_that_of_the_real_logits",
    "percent_on_the_page_are_rounded_but_not_to_certainty",
    "pad_bars_are_as_long_as_their_probabilities",
)
LESSONS_1_TO_3 = (
    "notebooks/01_load_dataset.ipynb",
    "notebooks/02_preprocess_data.ipynb",
    "notebooks/03_create_model.ipynb",
)

REPLACED = """\
            yield new
            os.replace(new, path)
        finally:
"""

MUTANTS = [
    # Numbers on pages: what a camera does to the test images.
    Mutant(
        name="shift by (5, 0) instead of (3, 3)",
        file="helpers/camera.py",
        old="partial(shift, down=3, right=3)",
        new="partial(shift, down=5, right=0)",
        tests=CAMERA,
    ),
    Mutant(
        name="shift by (3, -3) instead of (3, 3)",
        file="helpers/camera.py",
        old="partial(shift, down=3, right=3)",
        new="partial(shift, down=3, right=-3)",
        tests=CAMERA,
    ),
    Mutant(
        name="rotation by 5° instead of 15°",
        file="helpers/camera.py",
        old="partial(rotate, degrees=15)",
        new="partial(rotate, degrees=5)",
        tests=CAMERA,
    ),
    Mutant(
        name="ink 90 instead of 200",
        file="helpers/camera.py",
        old="ink=200, paper=40",
        new="ink=90, paper=40",
        tests=CAMERA,
    ),
    Mutant(
        name="noise of 5 instead of 15",
        file="helpers/camera.py",
        old="partial(add_noise, sigma=15)",
        new="partial(add_noise, sigma=5)",
        tests=CAMERA,
    ),
    Mutant(
        name="polarity that is fixed everywhere",
        file="helpers/camera.py",
        old="np.where(light, invert(images_i8), images_i8)",
        new="invert(images_i8)",
        tests=CAMERA,
    ),
    # How training images are varied.
    Mutant(
        name="rotation of training images divided by ten",
        file="helpers/training.py",
        old="ROTATION = 0.3 ",
        new="ROTATION = 0.03 ",
        tests=TRAINING,
    ),
    Mutant(
        name="shift of training images divided by ten",
        file="helpers/training.py",
        old="SHIFT = 3.3 ",
        new="SHIFT = 0.33 ",
        tests=TRAINING,
    ),
    Mutant(
        name="contrast of training images divided by ten",
        file="notebooks/04_train_model.ipynb",
        old="64 * drawn[0], 64 * drawn[1]",
        new="6.4 * drawn[0], 6.4 * drawn[1]",
        tests=TRAINING,
    ),
    # Processors and boards.
    Mutant(
        name="instructions divided by ten",
        file="helpers/emulator.py",
        old='"instructions": instructions,',
        new='"instructions": instructions // 10,',
        tests=EMULATOR,
    ),
    Mutant(
        name="flash and RAM of a processor swapped",
        file="helpers/emulator.py",
        old='"flash_bytes": len(program.flash),\n'
        '        "static_bytes": program.static_bytes,',
        new='"flash_bytes": program.static_bytes,\n'
        '        "static_bytes": len(program.flash),',
        tests=EMULATOR,
    ),
    Mutant(
        name="flash of a processor is zero",
        file="helpers/emulator.py",
        old='"flash_bytes": len(program.flash),',
        new='"flash_bytes": 0,',
        tests=EMULATOR,
    ),
    Mutant(
        name="stack of a processor is zero",
        file="helpers/emulator.py",
        old='"stack_bytes": chip.stack_bytes(),',
        new='"stack_bytes": 0,',
        tests=EMULATOR,
    ),
    Mutant(
        name="used RAM without the image",
        file="helpers/processors.py",
        old="return self.static_bytes + IMAGE_BYTES + LOGITS + self.stack_bytes",
        new="return self.static_bytes + LOGITS + self.stack_bytes",
        tests=MEMORY,
    ),
    Mutant(
        name="flash and RAM on the board's chart swapped",
        file="helpers/figures.py",
        old='memory.flash_bytes if kind == "flash" else memory.ram_bytes',
        new='memory.ram_bytes if kind == "flash" else memory.flash_bytes',
        tests=FIGURES,
    ),
    Mutant(
        name="flash and RAM of the network swapped",
        file="helpers/memory.py",
        old="19_032, 2_031",
        new="2_031, 19_032",
        tests=MEMORY,
    ),
    Mutant(
        name="instructions on the page divided by ten",
        file="helpers/memory.py",
        old="880_000",
        new="88_000",
        tests=MEMORY,
    ),
    Mutant(
        name="flash and RAM in notebook 6's table swapped",
        file="notebooks/06_test_quantized_model.ipynb",
        old="ran.flash_bytes, ran.used_bytes",
        new="ran.used_bytes, ran.flash_bytes",
        tests=tests_in("experiments", "table_of_programs_has_what_they_take"),
    ),
    Mutant(
        name="recommended arena in notebook 6's table",
        file="notebooks/06_test_quantized_model.ipynb",
        old="model.arena_used, ",
        new="model.arena_recommended, ",
        tests=tests_in("experiments", "table_of_programs_has_what_they_take"),
    ),
    Mutant(
        name="milliseconds of a board divided by ten",
        file="helpers/board.py",
        old="float(np.mean(microseconds)) / 1000",
        new="float(np.mean(microseconds)) / 10_000",
        tests=HOST,
    ),
    Mutant(
        name="differing logits of a board as images",
        file="helpers/board.py",
        old="int((found != logits).sum())",
        new="int((found != logits).any(axis=1).sum())",
        tests=HOST,
    ),
    # The published C.
    Mutant(
        name="bound of overflow without its 128",
        file="helpers/c_files.py",
        old="np.abs(bias) + 128 * np.abs(weights)",
        new="np.abs(bias) + np.abs(weights)",
        tests=OVERFLOW,
    ),
    Mutant(
        name="bound of overflow without its shift",
        file="helpers/c_files.py",
        old="shifted = largest * 2.0 ** np.maximum(layer.shift, 0)",
        new="shifted = largest * 1.0",
        tests=OVERFLOW,
    ),
    Mutant(
        name="ReLU's lower end ignored in C",
        file="helpers/c/cnn_int8.c",
        old="if (value < layer->lowest) return layer->lowest;",
        new="if (value < -128) return -128;",
        tests=ENGINE,
    ),
    Mutant(
        name="ReLU's lower end ignored in the integer arithmetic",
        file="helpers/integer_arithmetic.py",
        old="lowest=output.zero_point if has_relu else -128,",
        new="lowest=-128,",
        tests=INTEGERS,
    ),
    Mutant(
        name="float32 factor of one-scale dense layers removed",
        file="helpers/integer_arithmetic.py",
        old="if len(weights.scales) == 1:",
        new="if len(weights.scales) == 0:",
        tests=INTEGERS,
    ),
    Mutant(
        name="static memory in the header without a layer",
        file="helpers/c_files.py",
        old='"static_bytes": static_bytes(layers),',
        new='"static_bytes": static_bytes(layers[1:]),',
        tests=tests_in("processors", "header_states_the_static_memory"),
    ),
    Mutant(
        name="margin of a sure answer doubled in the header",
        file="helpers/c/inference.h.j2",
        old="_SURE_MARGIN {{ sure_margin }}",
        new="_SURE_MARGIN {{ 2 * sure_margin }}",
        tests=ENGINE,
    ),
    Mutant(
        name="zero point of the logits wrong in the header",
        file="helpers/c/inference.h.j2",
        old="{{ logit_zero_point }}",
        new="{{ logit_zero_point + 1 }}",
        tests=tests_in("c_engine", "header_states_the_zero_point_of_the_logits"),
    ),
    Mutant(
        name="bytes of a golden image wrong in the header",
        file="helpers/c/inference_golden.h.j2",
        old="images[0].size + logits[0].size",
        new="images[0].size",
        tests=tests_in("c_files", "golden_header_says_how_many_bytes_an_image_takes"),
    ),
    Mutant(
        name="scales of input and output swapped in the board's header",
        file="helpers/c/board.h.j2",
        old="kInputScale = {{ model.input.scale }}f",
        new="kInputScale = {{ model.output.scale }}f",
        tests=tests_in("c_files", "headers_together_compile_and_compute"),
    ),
    Mutant(
        name="arena of the board's header without headroom",
        file="helpers/c_files.py",
        old="headroom = report.model.arena_recommended - used",
        new="headroom = 0",
        tests=tests_in(
            "c_files", "board_header_says_which_part_of_the_arena_is_headroom"
        ),
    ),
    Mutant(
        name="tolerance of golden vectors one step too small",
        file="helpers/c/golden.h.j2",
        old="kGoldenTolerance = {{ tolerance }}",
        new="kGoldenTolerance = {{ tolerance - 1 }}",
        tests=tests_in("c_files", "golden_header_has_the_tolerance_of_its_images"),
    ),
    # Published texts.
    Mutant(
        name="digits of the model's SHA-256 cut in published/README.md",
        file="helpers/c/published_readme.md.j2",
        old="`{{ report.model.sha256 }}`",
        new="`{{ report.model.sha256[:63] }}`",
        tests=tests_in(
            "published_readme", "numbers_of_the_model_are_those_of_the_report"
        ),
    ),
    Mutant(
        name="bytes of the model wrong in published/README.md",
        file="helpers/c/published_readme.md.j2",
        old="format(report.model.bytes)",
        new="format(report.model.arena_used)",
        tests=tests_in(
            "published_readme", "numbers_of_the_model_are_those_of_the_report"
        ),
    ),
    Mutant(
        name="rates swapped in published/README.md",
        file="helpers/published_readme.py",
        old="before=rate(before.correct, before.images)",
        new="before=rate(after.correct, before.images)",
        tests=tests_in(
            "published_readme", "numbers_of_the_model_are_those_of_the_report"
        ),
    ),
    Mutant(
        name="memory of the sketch without the network in published/README.md",
        file="helpers/published_readme.py",
        old="sketch_bytes=static_bytes + arduino.SKETCH_BYTES",
        new="sketch_bytes=arduino.SKETCH_BYTES",
        tests=tests_in(
            "published_readme", "memory_for_the_sketch_is_the_network_s_and_more"
        ),
    ),
    Mutant(
        name="rates swapped in the comment of the C array",
        file="helpers/c_files.py",
        old="{rate(after.correct, after.images)} with",
        new="{rate(before.correct, after.images)} with",
        tests=tests_in("c_files", "comment_of_the_array_has_the_numbers_of_the_report"),
    ),
    Mutant(
        name="bytes of the overview's headline",
        file="helpers/pages.py",
        old="{report.model.bytes:,} bytes",
        new="{report.model.arena_used:,} bytes",
        tests=tests_in("pages", "overview_begins_with_what_was_made_and_the_pad"),
    ),
    Mutant(
        name="rate before quantization in the overview's headline",
        file="helpers/pages.py",
        old="after = report.accuracy.int8",
        new="after = report.accuracy.float",
        tests=tests_in("pages", "overview_begins_with_what_was_made_and_the_pad"),
    ),
    Mutant(
        name="float and int8 swapped in report.json",
        file="helpers/report.py",
        old='float=Score(trained["test"]["correct"], images)',
        new="float=Score(int(read_correctly.sum()), images)",
        tests=REPORT,
    ),
    Mutant(
        name="SHA-256 of something else in report.json",
        file="helpers/report.py",
        old="hashlib.sha256(model_bytes)",
        new="hashlib.sha256(model_bytes[1:])",
        tests=REPORT,
    ),
    Mutant(
        name="recommended arena as used in report.json",
        file="helpers/report.py",
        old="arena_used=arena.used",
        new="arena_used=arena.recommended",
        tests=REPORT,
    ),
    Mutant(
        name="checksums of the paths in SHA256SUMS",
        file="helpers/runs.py",
        old="hashlib.sha256(content)",
        new="hashlib.sha256(path.encode())",
        tests=tests_in(
            "runs", "publish_replaces_the_folder_as_a_whole_with_its_checksums"
        ),
    ),
    Mutant(
        name="arena without headroom",
        file="helpers/tflite.py",
        old="_HEADROOM = 0.2 ",
        new="_HEADROOM = 0.0 ",
        tests=ARENA,
    ),
    # The gate.
    Mutant(
        name="2.6 instead of 1.96 standard errors",
        file="helpers/gate.py",
        old="_NORMAL_95 = 1.96 ",
        new="_NORMAL_95 = 2.6 ",
        tests=CHANCE,
    ),
    Mutant(
        name="error of discordant pairs without its square",
        file="helpers/gate.py",
        old="lost + gained - (lost - gained) ** 2 / images",
        new="lost + gained",
        tests=CHANCE,
    ),
    Mutant(
        name="error of discordant pairs with an unsquared term",
        file="helpers/gate.py",
        old="(lost - gained) ** 2 / images",
        new="(lost - gained) / images",
        tests=CHANCE,
    ),
    Mutant(
        name="TFL3 unchecked",
        file="helpers/tflite.py",
        old='model_bytes[4:8] != b"TFL3" or file.version != 3',
        new="file.version != 3",
        tests=tests_in("tflite", "read_file_of_another_format_is_refused"),
    ),
    Mutant(
        name="logits one step off pass for TFLM, too",
        file="helpers/gate.py",
        old="allowed = 0 if runtime.is_tflm else 1",
        new="allowed = 1",
        tests=tests_in("gate", "logits_of_tflm_have_to_be_equal"),
    ),
    # Lessons and checkers.
    Mutant(
        name="notebook 5 calibrates on test images",
        file="notebooks/05_quantize_model.ipynb",
        old='data[\\"train_images\\"][:calibration_images]',
        new='data[\\"test_images\\"][:calibration_images]',
        tests=tests_in(
            "quantization",
            "representative_dataset_comes_one_image_at_a_time_as_float32",
        ),
    ),
    Mutant(
        name="a checker with a tolerance of 2 %",
        file="helpers/exercises.py",
        old="np.allclose(answer, right) for right",
        new="np.allclose(answer, right, rtol=0.02) for right",
        tests=tests_in("exercises", "checker_answer_one_percent_off_is_not_right"),
    ),
    Mutant(
        name="a calibration checker that finds nothing bad",
        file="helpers/exercises.py",
        old="        model = _calibrated(converter, chosen[:500])\n",
        new='        return ""\n        model = _calibrated(converter, chosen[:500])\n',
        tests=tests_in("exercises", "checker_wrong_answer_says_what_is_wrong"),
    ),
    Mutant(
        name="95 % interval of 90 %",
        file="notebooks/06_test_quantized_model.ipynb",
        old='proportion_ci(method=\\"wilson\\")',
        new='proportion_ci(0.9, method=\\"wilson\\")',
        tests=tests_in("experiments", "error_rate_has_the_interval_of_wilson"),
    ),
    Mutant(
        name="camera series of the wrong network",
        file="notebooks/06_test_quantized_model.ipynb",
        old='one_epoch[\\"varied\\"][place], one_epoch[\\"as they are\\"][place]',
        new='one_epoch[\\"as they are\\"][place], one_epoch[\\"varied\\"][place]',
        tests=tests_in("experiments", "camera_series_are_the_counts_of_each_network"),
    ),
    Mutant(
        name="transposed confusion matrix",
        file="helpers/figures.py",
        old="counts[label, answer] += 1",
        new="counts[answer, label] += 1",
        tests=FIGURES,
    ),
    Mutant(
        name="missed digits as shares of all images",
        file="notebooks/01_load_dataset.ipynb",
        old="100 * wrong_counts / test_counts",
        new="100 * wrong_counts / test_counts.sum()",
        tests=tests_in("lessons", "missed_shares_add_up_to_all_wrong_answers"),
    ),
    Mutant(
        name="always the same answer, counted on training images",
        file="notebooks/01_load_dataset.ipynb",
        old="always_right = (test_labels == favourite)",
        new="always_right = (train_labels == favourite)",
        tests=tests_in(
            "lessons", "always_the_same_answer_reads_the_images_of_one_digit"
        ),
    ),
    Mutant(
        name="instructions for each product, multiplied",
        file="notebooks/03_create_model.ipynb",
        old="{memory.INSTRUCTIONS / used:.1f}",
        new="{memory.INSTRUCTIONS * used:.1f}",
        tests=LESSONS_1_TO_3,
    ),
    Mutant(
        name="parameters of a convolution without biases",
        file="notebooks/03_create_model.ipynb",
        old="return f * f * channels_in * channels_out + channels_out",
        new="return f * f * channels_in * channels_out",
        tests=LESSONS_1_TO_3,
    ),
    Mutant(
        name="best epoch counted from 0",
        file="notebooks/04_train_model.ipynb",
        old='np.argmax(history[\\"val_accuracy\\"])) + 1',
        new='np.argmax(history[\\"val_accuracy\\"]))',
        tests=tests_in("experiments", "best_epoch_is_counted_from_1"),
    ),
    Mutant(
        name="wrong answers counted as right ones in notebook 4",
        file="notebooks/04_train_model.ipynb",
        old='(predictions == data[\\"test_labels\\"]).sum()',
        new='(predictions != data[\\"test_labels\\"]).sum()',
        tests=tests_in("experiments", "right_answers_on_the_test_images_are_counted"),
    ),
    Mutant(
        name="biases of one byte in notebook 5",
        file="notebooks/05_quantize_model.ipynb",
        old="bias_bytes = sum([t.data.nbytes for t",
        new="bias_bytes = sum([t.data.size for t",
        tests=tests_in(
            "experiments", "bytes_of_the_model_are_those_of_its_weights_and_biases"
        ),
    ),
    Mutant(
        name="four bytes a scale in notebook 5",
        file="notebooks/05_quantize_model.ipynb",
        old="sum([12 * len(t.scales)",
        new="sum([4 * len(t.scales)",
        tests=tests_in("experiments", "bytes_of_scales_are_twelve_for_each"),
    ),
    Mutant(
        name="errors of layers as fractions",
        file="notebooks/05_quantize_model.ipynb",
        old="[100 * np.std(restored - real)",
        new="[np.std(restored - real)",
        tests=tests_in("experiments", "error_of_a_layer_is_the_share_of_its_signal"),
    ),
    Mutant(
        name="wrong answers counted as right ones in notebook 6",
        file="notebooks/06_test_quantized_model.ipynb",
        old="right = int((answers == test_labels)",
        new="right = int((answers != test_labels)",
        tests=tests_in("experiments", "right_answers_of_the_int8_model_are_counted"),
    ),
    Mutant(
        name="differences of one step not counted",
        file="notebooks/06_test_quantized_model.ipynb",
        old="(differences > 0).sum()",
        new="(differences > 1).sum()",
        tests=tests_in("experiments", "differences_of_the_runtimes_are_counted"),
    ),
    # Files and artifacts.
    Mutant(
        name="os.replace replaced by writing in place",
        file="helpers/files.py",
        old=REPLACED,
        new=REPLACED.replace(
            "os.replace(new, path)", "path.write_bytes(new.read_bytes())"
        ),
        tests=tests_in("files"),
    ),
    Mutant(
        name="a file that is written in place",
        file="helpers/files.py",
        old=REPLACED,
        new="            yield path\n        finally:\n",
        tests=tests_in("files"),
    ),
    Mutant(
        name="clear_session removed in runs",
        file="helpers/runs.py",
        old="        keras.backend.clear_session()",
        new="        keras.backend",
        tests=tests_in(
            "runs", "model_that_is_loaded_names_new_layers_as_in_a_new_process"
        ),
    ),
    Mutant(
        name="clear_session removed in notebook 3",
        file="notebooks/03_create_model.ipynb",
        old="tf.keras.backend.clear_session()",
        new="tf.keras.backend",
        tests=tests_in(
            "networks", "tutorial_built_twice_gives_the_same_names_and_weights"
        ),
    ),
    # The board's protocol.
    Mutant(
        name="check sum of the host starts at 0",
        file="helpers/board.py",
        old="crc_hqx(content, 0xFFFF)",
        new="crc_hqx(content, 0)",
        tests=HOST,
    ),
    Mutant(
        name="check sum of the sketch has another polynomial",
        file="helpers/c/arduino/read_digit.ino",
        old="(uint16_t)(crc << 1) ^ 0x1021",
        new="(uint16_t)(crc << 1) ^ 0x8005",
        tests=CONVERSATION,
    ),
    Mutant(
        name="sketch takes 27 rows for an image",
        file="helpers/c/arduino/read_digit.ino",
        old="const uint8_t ROWS = 28; ",
        new="const uint8_t ROWS = 27; ",
        tests=tests_in("board", "emulated_uno_reads_images_as_tflm_does"),
    ),
    Mutant(
        name="sketch never gives up a line",
        file="helpers/c/arduino/read_digit.ino",
        old="PATIENCE_MS = 200",
        new="PATIENCE_MS = 4000000000",
        tests=CONVERSATION,
    ),
    Mutant(
        name="seven digits of SHA-256 in the sketch",
        file="helpers/c/arduino/model.h.j2",
        old="sha256[:8]",
        new="sha256[:7]",
        tests=tests_in("board", "emulated_uno_reads_images_as_tflm_does"),
    ),
    Mutant(
        name="microseconds of the last row alone",
        file="helpers/c/arduino/read_digit.ino",
        old="microseconds += micros() - start;",
        new="microseconds = micros() - start;",
        tests=tests_in("board", "emulated_uno_reads_images_as_tflm_does"),
    ),
    # The drawing pad.
    Mutant(
        name="box of 18 instead of 20 pixels on the page",
        file="helpers/pad/preparation.js",
        old="const BOX = 20;",
        new="const BOX = 18;",
        tests=PAGE_PREPARATION,
    ),
    Mutant(
        name="softmax of the page without its scale",
        file="helpers/pad/network.js",
        old="Math.exp((logit - zeroPoint) * scale)",
        new="Math.exp(logit - zeroPoint)",
        tests=PAD,
    ),
    Mutant(
        name="percent of the page rounded down",
        file="helpers/pad/page.js",
        old="Math.round(100 * probability)",
        new="Math.floor(100 * probability)",
        tests=PAD,
    ),
    Mutant(
        name="bars of the page of half their length",
        file="helpers/pad/page.js",
        old="${100 * probability}%`",
        new="${50 * probability}%`",
        tests=PAD,
    ),
    Mutant(
        name="milliseconds of a board on the page divided by ten",
        file="helpers/pad/board.js",
        old="found.microseconds / 1000",
        new="found.microseconds / 10000",
        tests=tests_in("pad_board", "drawing_is_read_by_the_page_and_by_the_board"),
    ),
]

NUMBERS = [
    Number("helpers/report.py", "rate", SENTENCES),
    Number("helpers/report.py", "change", SENTENCES, count=2),
    Number("helpers/report.py", "_decimals", SENTENCES, count=2),
    Number("helpers/report.py", "make", REPORT),
    Number("helpers/gate.py", "_LEAST_MARGIN", GOLDEN_CHOICE),
    Number("helpers/gate.py", "_NORMAL_95", CHANCE),
    Number("helpers/gate.py", "check_accuracy", CHANCE, count=3),
    Number("helpers/gate.py", "golden_images", GOLDEN_CHOICE, count=2),
    Number(
        "helpers/gate.py", "check_file", tests_in("gate", "file_as_converted_passes")
    ),
    Number("helpers/tflite.py", "arena", ARENA, count=2),
    Number(
        "helpers/tflite.py",
        "_BOOKKEEPING",
        tests_in("tflite", "arena_estimate_is_near_what_tflm_uses"),
    ),
    Number("helpers/c_files.py", "_sure_margin", ENGINE),
    Number(
        "helpers/c_files.py",
        "static_bytes",
        tests_in("processors", "header_states_the_static_memory"),
        count=2,
    ),
    Number("helpers/c_files.py", "rounding_tolerance", tests_in("golden"), count=2),
    Number("helpers/c_files.py", "_bias_with_zero_point", OVERFLOW, count=2),
    Number("helpers/c_files.py", "_c_layer", ENGINE),
    Number(
        "helpers/c_files.py",
        "_rows",
        tests_in("c_files", "xxd_any_name_and_bytes_is_what_xxd_prints"),
    ),
    Number("helpers/memory.py", "MICRO_BIT", MEMORY),
    Number("helpers/memory.py", "ARDUINO_UNO", MEMORY),
    Number("helpers/memory.py", "MODEL", MEMORY),
    Number(
        "helpers/arduino.py",
        "SKETCH_BYTES",
        tests_in("arduino", "images_on_an_emulated_uno_give_the_logits_of_tflm"),
    ),
    Number("helpers/board.py", "test", HOST),
    Number(
        "helpers/board.py",
        "_BAUD",
        tests_in("board", "port_is_opened_at_the_speed_of_the_sketch"),
    ),
    Number("helpers/emulator.py", "instructions_in", EMULATOR),
    Number("helpers/emulator.py", "Microcontroller", EMULATOR, count=3),
    Number("helpers/processors.py", "ProcessorRun", MEMORY),
    Number("helpers/camera.py", "EFFECTS", CAMERA, count=3),
    Number("helpers/camera.py", "light_unevenly", CAMERA, count=2),
    Number("helpers/camera.py", "squeeze", CAMERA),
    Number("helpers/camera.py", "draw_sample", CAMERA),
    Number("helpers/training.py", "random_affine", TRAINING, count=2),
    Number("helpers/training.py", "ASPECT", TRAINING),
    Number("helpers/training.py", "SHEAR", TRAINING),
    Number("helpers/training.py", "ZOOM", TRAINING),
    Number("helpers/networks.py", "layer_costs", tests_in("networks")),
    Number("helpers/networks.py", "compact", tests_in("networks")),
    Number("helpers/integer_arithmetic.py", "requantize", INTEGERS),
    Number(
        "helpers/quantization.py",
        "scores_with_bits",
        tests_in("experiments", "simulated_eight_bits_answer_as_the_int8_model"),
    ),
    Number(
        "helpers/sweep.py",
        "_outcome",
        tests_in("sweep", "table_has_what_the_run_has_achieved"),
        count=2,
    ),
    Number("helpers/sweep.py", "groups", SWEEP),
    Number("helpers/figures.py", "draw_memory", FIGURES),
    Number("helpers/figures.py", "draw_funnel", FIGURES),
    Number("helpers/figures.py", "draw_scores", FIGURES),
    Number("helpers/figures.py", "draw_rounding", FIGURES),
    Number("helpers/figures.py", "draw_errors", FIGURES),
    Number("helpers/figures.py", "draw_confusion", FIGURES),
    Number("helpers/figures.py", "draw_values", FIGURES),
    Number("helpers/figures.py", "draw_descent", FIGURES),
    Number("helpers/figures.py", "draw_history", FIGURES),
    Number("helpers/figures.py", "draw_line_fit", FIGURES),
    Number("helpers/figures.py", "draw_activations", FIGURES),
    Number("helpers/figures.py", "draw_filters", FIGURES),
    Number("helpers/figures.py", "mark", FIGURES),
    Number("helpers/photograph.py", "_scaled", PREPARATION),
    Number("helpers/photograph.py", "box_average", PREPARATION),
    Number("helpers/photograph.py", "prepare", PREPARATION),
    Number(
        "helpers/datasets.py",
        "load_file",
        tests_in("datasets", "sample_is_balanced_disjoint_and_named"),
    ),
]

# Why a mutant that was drawn may live, by its name.
REASONS = {
    'report.change: verb = "rose" if after >= before else "fell"': (
        "equivalent: equal numbers have returned before"
    ),
    "gate.golden_images: for digit in range(11):": (
        "equivalent: no label is 10, so it has no image"
    ),
    "c_files.static_bytes: c_layers = "
    "[_c_layer(number, layer) for number, layer in enumerate(layers, 2)]": (
        "equivalent: the number only names a layer in an error"
    ),
    "figures.draw_activations: ax.hist(np.ravel(values), 61, log=True, color=BLUE)": (
        "one bar more tells the same"
    ),
}
