"""Certificates of cells, counts and properties: their form, files, and checks that share nothing with the search.

`Cell.certificate()` gives one, and `Cell.check()` checks it at once; what is here reads only a network, a domain and
a file, so that a certificate can be checked by others, at any time.
"""

from __future__ import annotations

from reluatlas.certify.archive import check_file, load_certificates, save_certificates
from reluatlas.certify.check import CheckReport, check_certificate
from reluatlas.certify.form import CellCertificate
from reluatlas.certify.property_check import PropertyReport, check_property_certificate
from reluatlas.certify.property_form import PropertyCertificate, load_property_certificate
from reluatlas.certify.tree import TreeReport, check_equal, check_tree
from reluatlas.certify.tree_write import save_tree

__all__ = [
    "CellCertificate",
    "CheckReport",
    "PropertyCertificate",
    "PropertyReport",
    "TreeReport",
    "check_certificate",
    "check_equal",
    "check_file",
    "check_property_certificate",
    "check_tree",
    "load_certificates",
    "load_property_certificate",
    "save_certificates",
    "save_tree",
]
